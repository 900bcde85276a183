# Finds LibTorch and makes the imported target cleave::libtorch.
#
# PyTorch's own TorchConfig.cmake switches on the CUDA language as soon as the package knows CUDA,
# and fails where no toolkit is installed. This module needs headers and libraries, nothing else.
#
# It looks, in this order, at LIBTORCH_ROOT (variable or environment), Torch_DIR, CMAKE_PREFIX_PATH,
# the torch package of the active python, and the cache folder that scripts/setup fills.
# CLEAVE_CUDA=ON adds the CUDA half. Result: LibTorch_FOUND, LibTorch_VERSION, LIBTORCH_ROOT.

set(_header include/torch/csrc/api/include/torch/torch.h)

# A root that was found earlier and has since been removed must not be kept.
if(LIBTORCH_ROOT AND NOT EXISTS "${LIBTORCH_ROOT}/${_header}")
  message(STATUS "LIBTORCH_ROOT=${LIBTORCH_ROOT} holds no LibTorch; looking elsewhere")
  unset(LIBTORCH_ROOT CACHE)
  unset(LIBTORCH_ROOT)
endif()

if(NOT LIBTORCH_ROOT)
  set(_roots "$ENV{LIBTORCH_ROOT}")
  foreach(_dir IN ITEMS "${Torch_DIR}" "$ENV{Torch_DIR}")
    if(_dir)
      list(APPEND _roots "${_dir}/../../..") # <root>/share/cmake/Torch
    endif()
  endforeach()
  set(_prefixes "$ENV{CMAKE_PREFIX_PATH}")
  string(REPLACE ":" ";" _prefixes "${_prefixes}")
  list(APPEND _roots ${CMAKE_PREFIX_PATH} ${_prefixes})
  foreach(_prefix IN LISTS CMAKE_PREFIX_PATH _prefixes)
    list(APPEND _roots "${_prefix}/../..") # <root>/share/cmake, as torch.utils.cmake_prefix_path
  endforeach()

  # find_spec locates the package without importing it, which would take seconds.
  find_program(LibTorch_PYTHON NAMES python3 python)
  mark_as_advanced(LibTorch_PYTHON)
  if(LibTorch_PYTHON)
    execute_process(
      COMMAND ${LibTorch_PYTHON} -c
              "import importlib.util as u\ns = u.find_spec('torch')\nprint(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE _python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    list(APPEND _roots "${_python_torch}")
  endif()

  if(DEFINED ENV{CLEAVE_CACHE})
    set(_cache "$ENV{CLEAVE_CACHE}")
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(_cache "$ENV{XDG_CACHE_HOME}/cleave")
  else()
    set(_cache "$ENV{HOME}/.cache/cleave")
  endif()
  # The full package can do all that the small one can, so it comes second only without CLEAVE_CUDA.
  set(_environments torch-cpu torch-cuda torch-tmp)
  if(CLEAVE_CUDA)
    set(_environments torch-cuda)
  endif()
  foreach(_environment IN LISTS _environments)
    file(GLOB _found "${_cache}/${_environment}/lib/python3*/site-packages/torch")
    list(APPEND _roots ${_found})
  endforeach()

  foreach(_root IN LISTS _roots)
    if(_root AND EXISTS "${_root}/${_header}")
      get_filename_component(_root "${_root}" ABSOLUTE)
      set(LIBTORCH_ROOT "${_root}" CACHE PATH "Folder of LibTorch: holds include/ and lib/")
      break()
    endif()
  endforeach()
endif()

set(_parts torch_cpu c10)
if(CLEAVE_CUDA)
  list(APPEND _parts torch_cuda c10_cuda)
endif()
set(_required)
foreach(_part IN LISTS _parts)
  # Looked up anew each time: the root may have changed.
  unset(LibTorch_${_part} CACHE)
  if(LIBTORCH_ROOT)
    find_library(LibTorch_${_part} ${_part} PATHS "${LIBTORCH_ROOT}" PATH_SUFFIXES lib
                 NO_DEFAULT_PATH)
    if(NOT LibTorch_${_part})
      find_library(LibTorch_${_part} ${_part}) # a distribution's package
    endif()
  endif()
  mark_as_advanced(LibTorch_${_part})
  list(APPEND _required LibTorch_${_part})
endforeach()

unset(LibTorch_VERSION)
foreach(_file IN ITEMS torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(LIBTORCH_ROOT AND EXISTS "${LIBTORCH_ROOT}/include/${_file}" AND NOT LibTorch_VERSION)
    file(STRINGS "${LIBTORCH_ROOT}/include/${_file}" _lines
         REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
    string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
    list(JOIN _numbers "." LibTorch_VERSION)
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LIBTORCH_ROOT ${_required}
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE
    "Run scripts/setup, which installs it, or set LIBTORCH_ROOT to the folder of an installed one, \
or use CLEAVE_TORCH=OFF for cleave::core alone. CLEAVE_CUDA=ON needs `scripts/setup --cuda`.")

if(LibTorch_FOUND AND NOT TARGET cleave::libtorch)
  add_library(cleave::libtorch INTERFACE IMPORTED)
  target_include_directories(
    cleave::libtorch INTERFACE "${LIBTORCH_ROOT}/include"
                               "${LIBTORCH_ROOT}/include/torch/csrc/api/include")
  target_compile_features(cleave::libtorch INTERFACE cxx_std_20)
  target_link_libraries(cleave::libtorch INTERFACE "${LibTorch_torch_cpu}" "${LibTorch_c10}")

  find_package(Threads REQUIRED)
  target_link_libraries(cleave::libtorch INTERFACE Threads::Threads)

  # A wheel's libraries need those of the nvidia packages beside it; they find them at run time by
  # a path of their own, the linker has to be told.
  file(GLOB _nvidia "${LIBTORCH_ROOT}/../nvidia/*/lib")
  foreach(_folder IN LISTS _nvidia)
    get_filename_component(_folder "${_folder}" ABSOLUTE)
    target_link_options(cleave::libtorch INTERFACE "LINKER:-rpath-link,${_folder}")
  endforeach()

  if(CLEAVE_CUDA)
    # Kernels register themselves when the library is loaded; no symbol of it need be used.
    target_link_libraries(
      cleave::libtorch INTERFACE "-Wl,--push-state,--no-as-needed" "${LibTorch_torch_cuda}"
                                 "${LibTorch_c10_cuda}" "-Wl,--pop-state")
    find_package(CUDAToolkit QUIET) # headers such as cuda_runtime_api.h
    if(CUDAToolkit_FOUND)
      target_include_directories(cleave::libtorch INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
      target_link_libraries(cleave::libtorch INTERFACE CUDA::cudart)
    endif()
  endif()
endif()
