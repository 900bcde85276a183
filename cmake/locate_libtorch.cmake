# cmake [-DCLEAVE_CUDA=ON] -P cmake/locate_libtorch.cmake
# Says which LibTorch a build would use, by the same search; fails if there is none.

cmake_minimum_required(VERSION 3.24)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
set(CMAKE_FIND_LIBRARY_PREFIXES lib)
set(CMAKE_FIND_LIBRARY_SUFFIXES .so)
set(LibTorch_FIND_QUIETLY ON)
find_package(LibTorch REQUIRED)
message("LibTorch ${LibTorch_VERSION} in ${LIBTORCH_ROOT}")
