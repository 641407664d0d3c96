import pytest
from engine_fakes import Classify, engine, mlp, train_rows

from deepwell.engine import Callback, CallbackLike, Stop, TrainState, fit
from deepwell.engine.callbacks import EVENTS, Callbacks
from deepwell.errors import ConfigError


def test_a_misspelt_event_is_refused_when_the_class_is_defined():
    with pytest.raises(ConfigError, match='Did you mean "on_epoch_ended"'):
        type("Bad", (Callback,), {"on_epoch_end": lambda self, state: None})


def test_a_misspelt_event_of_a_foreign_object_is_refused_before_training():
    class Foreign:
        def on_train_begin(self) -> None: ...

        def on_fit_started(self, state: TrainState) -> None: ...

    with pytest.raises(ConfigError, match=r"Foreign\.on_train_begin is not an event"):
        fit(mlp(), Classify(), train_rows(), settings=engine(), callbacks=[Foreign()])


@pytest.mark.parametrize("thing", [3, "progress", Callback, print])
def test_what_is_no_callback_is_refused(thing: object):
    with pytest.raises(ConfigError, match="A callback must be an object"):
        Callbacks([thing])


def test_missing_methods_are_fine():
    class OnlyEpochs:
        seen = 0

        def on_epoch_ended(self, state: TrainState) -> None:
            self.seen += 1

    onlooker = OnlyEpochs()
    fit(mlp(), Classify(), train_rows(), settings=engine(epochs=2), callbacks=[onlooker])
    assert onlooker.seen == 2


def test_all_are_told_and_the_first_wish_counts():
    told: list[int] = []

    class Wish(Callback):
        def __init__(self, number: int) -> None:
            self.number = number

        def on_epoch_ended(self, state: TrainState) -> Stop:
            told.append(self.number)
            return Stop(f"Wish {self.number}.")

    result = fit(mlp(), Classify(), train_rows(), settings=engine(), callbacks=[Wish(1), Wish(2)])
    assert told == [1, 2]
    assert (result.stopped, len(result.history)) == ("Wish 1.", 1)


def test_the_end_is_told_also_after_an_error():
    class Fails(Callback):
        ended = False

        def on_step_logged(self, state: TrainState) -> None:
            raise RuntimeError("mine")

        def on_fit_ended(self, state: TrainState) -> None:
            self.ended = True

    callback = Fails()
    with pytest.raises(RuntimeError, match="mine"):
        fit(mlp(), Classify(), train_rows(), settings=engine(), callbacks=[callback])
    assert callback.ended


def test_base_protocol_and_list_of_events_agree():
    assert isinstance(Callback(), CallbackLike)
    for owner in (Callback, CallbackLike):
        assert [name for name in vars(owner) if name.startswith("on_")] == list(EVENTS)
    assert len(EVENTS) <= 8
