"""The contenders of the benchmarks: each file trains the same networks with one library.

A file has one function a network, called with the pictures and a seed. Data are prepared and
libraries imported before the clock starts; compiling, if a library compiles, is training time.
Files of peers import neither Deepwell nor each other, for they may run in another environment.
"""
