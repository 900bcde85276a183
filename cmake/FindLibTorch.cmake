# Finds LibTorch and makes the imported target cleave::libtorch.
#
# PyTorch's own TorchConfig.cmake switches on the CUDA language as soon as the package knows CUDA,
# and fails where no toolkit is installed. This module needs headers and libraries, nothing else.
#
# It looks, in this order, at LIBTORCH_ROOT (variable or environment), Torch_DIR, CMAKE_PREFIX_PATH,
# the torch package of the active python, and the cache folder that scripts/setup fills.
# CLEAVE_CUDA=ON adds the CUDA half. Result: LibTorch_FOUND, LibTorch_VERSION, LIBTORCH_ROOT.

set(_header include/torch/csrc/api/include/torch/torch.h)

# Sets `out` to what is wrong with the LibTorch in `root`, or to nothing.
function(_libtorch_fault root out)
  set(${out} "" PARENT_SCOPE)
  if(NOT EXISTS "${root}/${_header}")
    set(${out} "holds no LibTorch" PARENT_SCOPE)
    return()
  endif()
  # Libraries made for the old std::string cannot be linked with programs that use the new one.
  if(EXISTS "${root}/lib/libc10.so")
    file(STRINGS "${root}/lib/libc10.so" symbols LIMIT_COUNT 1
         REGEX "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_string")
    if(NOT symbols)
      set(${out} "was built with _GLIBCXX_USE_CXX11_ABI=0; use 2.6 or later" PARENT_SCOPE)
      return()
    endif()
  endif()
  # A wheel without the packages it depends on would fail at the first link.
  set(library "${root}/lib/libtorch_cpu.so")
  if(CLEAVE_CUDA)
    set(library "${root}/lib/libtorch_cuda.so")
    if(NOT EXISTS "${library}")
      set(${out} "has no CUDA half" PARENT_SCOPE)
      return()
    endif()
  endif()
  find_program(LibTorch_LDD ldd)
  mark_as_advanced(LibTorch_LDD)
  if(LibTorch_LDD AND EXISTS "${library}" AND NOT CMAKE_CROSSCOMPILING)
    execute_process(COMMAND ${LibTorch_LDD} "${library}" OUTPUT_VARIABLE needed ERROR_QUIET)
    string(REGEX MATCHALL "[^ \t\n]+ => not found" missing "${needed}")
    if(missing)
      list(REMOVE_DUPLICATES missing)
      string(REPLACE " => not found" "" missing "${missing}")
      list(JOIN missing ", " missing)
      set(${out} "lacks libraries it was linked with: ${missing}" PARENT_SCOPE)
    endif()
  endif()
endfunction()

# What was looked at and refused, for the message in case nothing fits.
set(_refused)

# A root that was found earlier and has since been removed must not be kept.
if(LIBTORCH_ROOT)
  _libtorch_fault("${LIBTORCH_ROOT}" _fault)
  if(_fault)
    message(STATUS "LIBTORCH_ROOT=${LIBTORCH_ROOT} ${_fault}; looking elsewhere")
    string(APPEND _refused "\n  ${LIBTORCH_ROOT} ${_fault}.")
    unset(LIBTORCH_ROOT CACHE)
    unset(LIBTORCH_ROOT)
  endif()
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
  set(_environments torch-cpu torch-cuda)
  if(CLEAVE_CUDA)
    set(_environments torch-cuda)
  endif()
  foreach(_environment IN LISTS _environments)
    file(GLOB _found "${_cache}/${_environment}/lib/python3*/site-packages/torch")
    list(APPEND _roots ${_found})
  endforeach()

  foreach(_root IN LISTS _roots)
    if(NOT EXISTS "${_root}/${_header}")
      continue()
    endif()
    get_filename_component(_root "${_root}" ABSOLUTE)
    _libtorch_fault("${_root}" _fault)
    if(_fault)
      string(APPEND _refused "\n  ${_root} ${_fault}.")
      continue()
    endif()
    set(LIBTORCH_ROOT "${_root}" CACHE PATH "Folder of LibTorch: holds include/ and lib/")
    break()
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
or use CLEAVE_TORCH=OFF for cleave::core alone. CLEAVE_CUDA=ON needs `scripts/setup --cuda`.${_refused}")

if(LibTorch_FOUND AND NOT CMAKE_SCRIPT_MODE_FILE AND NOT TARGET cleave::libtorch)
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
    target_compile_definitions(cleave::libtorch INTERFACE CLEAVE_CUDA)
    # Kernels register themselves when the library is loaded; no symbol of it need be used.
    target_link_libraries(
      cleave::libtorch INTERFACE "-Wl,--push-state,--no-as-needed" "${LibTorch_torch_cuda}"
                                 "${LibTorch_c10_cuda}" "-Wl,--pop-state")
    # The headers of CUDA come from the toolkit, else from the packages beside LibTorch. The runtime
    # library comes from there first: two versions of it in one program would not do.
    find_package(CUDAToolkit QUIET)
    if(CUDAToolkit_FOUND)
      target_include_directories(cleave::libtorch INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
    else()
      file(GLOB _folders "${LIBTORCH_ROOT}/../nvidia/*/include")
      target_include_directories(cleave::libtorch INTERFACE ${_folders})
    endif()
    file(GLOB _runtime "${LIBTORCH_ROOT}/../nvidia/*/lib/libcudart.so.*")
    if(_runtime)
      list(GET _runtime 0 _runtime)
      get_filename_component(_runtime "${_runtime}" ABSOLUTE)
      target_link_libraries(cleave::libtorch INTERFACE "${_runtime}")
    elseif(CUDAToolkit_FOUND)
      target_link_libraries(cleave::libtorch INTERFACE CUDA::cudart)
    endif()
  endif()
endif()
