# Functions that make the tests, examples and benchmarks of cleave. Not installed.

# Warnings of our own programs; nobody who links cleave gets them.
add_library(cleave_warnings INTERFACE)
target_compile_options(
  cleave_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)

set(CLEAVE_FUZZ_SECONDS "" CACHE STRING "Seconds each fuzz test runs, in place of its own number")
find_program(CLEAVE_CLANG NAMES clang++ clang++-19 clang++-18 clang++-17 clang++-16 clang++-15
                                clang++-14 DOC "Clang, for the fuzz tests")

set(cleave_tsan TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/tsan.supp)

# flags_core.rsp and flags_cleave.rsp in the build folder: what a compiler that CMake does not run
# needs to find the library.
foreach(library IN ITEMS core cleave)
  if(TARGET cleave_${library})
    add_library(cleave_flags_${library} INTERFACE)
    target_link_libraries(cleave_flags_${library} INTERFACE cleave::${library})
    foreach(property IN ITEMS INCLUDE_DIRECTORIES COMPILE_DEFINITIONS)
      set(${property} "$<TARGET_PROPERTY:cleave_flags_${library},INTERFACE_${property}>")
    endforeach()
    file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/flags_${library}.rsp
         CONTENT "-std=c++20
$<$<BOOL:${INCLUDE_DIRECTORIES}>:-I$<JOIN:${INCLUDE_DIRECTORIES},\n-I>>
$<$<BOOL:${COMPILE_DEFINITIONS}>:-D$<JOIN:${COMPILE_DEFINITIONS},\n-D>>
")
  endif()
endforeach()

# LibTorch, a third of what an example takes to compile, is read once for all of them when they are
# built to be tested. Without tests they are compiled as a reader would.
set(cleave_torch_options)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  list(APPEND cleave_torch_options -fpch-preprocess) # lets ccache see what the header holds
endif()
if(CLEAVE_TORCH AND CLEAVE_TESTS)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/library_pch.cpp CONTENT "")
  add_library(cleave_library_pch OBJECT ${PROJECT_BINARY_DIR}/library_pch.cpp)
  target_link_libraries(cleave_library_pch PRIVATE cleave::cleave cleave_warnings)
  target_precompile_headers(cleave_library_pch PRIVATE <cleave/torch.hpp>)
  target_compile_options(cleave_library_pch PRIVATE ${cleave_torch_options})
  set(cleave_library_pch_header
      ${PROJECT_BINARY_DIR}/CMakeFiles/cleave_library_pch.dir/cmake_pch.hxx)
  separate_arguments(cleave_library_pch_options UNIX_COMMAND "${CMAKE_CXX_FLAGS}")
  list(APPEND cleave_library_pch_options ${cleave_torch_options} -std=gnu++20)
endif()

# All programs of the label core, for a build that needs no others.
add_custom_target(core_tests)

# COST, here and below, is about a test's seconds: ctest begins with the longest, so that none of them
# is alone at the end.

# cleave_core_test(NAME <name> [COST <n>] SOURCES <file>...): compiled as one unit, since reading and
# instantiating what the files share takes most of the time.
function(cleave_core_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;COST" "SOURCES")
  add_executable(${arg_NAME} ${arg_SOURCES})
  set_target_properties(${arg_NAME} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
  target_link_libraries(${arg_NAME} PRIVATE cleave::core cleave_test_support cleave_test_main)
  add_dependencies(core_tests ${arg_NAME})
  add_test(NAME ${arg_NAME} COMMAND ${arg_NAME})
  set_tests_properties(${arg_NAME} PROPERTIES LABELS core ENVIRONMENT "${cleave_tsan}"
                                              COST "${arg_COST}")
endfunction()

# cleave_share_torch_header(<target>): compiles it with the precompiled header of the torch tests.
function(cleave_share_torch_header target)
  target_link_libraries(${target} PRIVATE cleave::cleave cleave_test_support)
  target_precompile_headers(${target} REUSE_FROM cleave_torch_pch)
  target_compile_options(${target} PRIVATE ${cleave_torch_options})
endfunction()

# cleave_torch_test(NAME <name> [COST <n>] SOURCES <file>...): shares one precompiled header.
function(cleave_torch_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;COST" "SOURCES")
  if(NOT CLEAVE_TORCH)
    return()
  endif()
  add_executable(${arg_NAME} ${arg_SOURCES})
  cleave_share_torch_header(${arg_NAME})
  target_link_libraries(${arg_NAME} PRIVATE cleave_test_main)
  add_test(NAME ${arg_NAME} COMMAND ${arg_NAME})
  # One thread each: the networks of the tests are so small that threads only wait for each other.
  # Under the sanitizers: LibTorch keeps what it allocates once until the end (leaks of ours are found
  # in the core tests), and oneDNN has its own ways with memory.
  set(environment OMP_NUM_THREADS=1 ASAN_OPTIONS=detect_leaks=0 ${cleave_tsan})
  set_tests_properties(${arg_NAME} PROPERTIES LABELS torch ENVIRONMENT "${environment}"
                                              COST "${arg_COST}")
endfunction()

find_program(CLEAVE_PYTHON python3 DOC "Python, for tests that run programs more than once")

# cleave_run_test(NAME <name> TARGET <target> EXPECT <regex> [FAILS] [TWICE] [ARGS <arg>...]
#                 [LABELS <label>...])
# A test that runs a program, looks for the expression in its output, and wants it to succeed, or
# with FAILS to fail. TWICE: a second run must say and find the same. `{out}` in an argument
# becomes a folder of the run's own.
function(cleave_run_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "FAILS;TWICE" "NAME;TARGET;EXPECT" "ARGS;LABELS")
  if(arg_TWICE AND NOT arg_FAILS AND CLEAVE_PYTHON)
    set(runner ${CLEAVE_PYTHON} ${PROJECT_SOURCE_DIR}/tests/soak/twice --expect ${arg_EXPECT})
  else()
    string(REPLACE "{out}" "${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}-run" arg_ARGS "${arg_ARGS}")
    set(runner ${CMAKE_COMMAND} "-DEXPECT=${arg_EXPECT}" -DFAILS=${arg_FAILS}
               -P ${PROJECT_SOURCE_DIR}/cmake/run_example.cmake --)
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${runner} $<TARGET_FILE:${arg_TARGET}> ${arg_ARGS})
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "${arg_LABELS}")
endfunction()

# cleave_example(NAME <name> SOURCE <file> [TORCH] [EXPECT <regex> [ARGS <arg>...] [FAILS] [TWICE]]
#                [LABELS <label>...])
# With EXPECT, ctest runs it (cleave_run_test).
function(cleave_example)
  cmake_parse_arguments(PARSE_ARGV 0 arg "TORCH;FAILS;TWICE" "NAME;SOURCE;EXPECT" "ARGS;LABELS")
  if(arg_TORCH AND NOT CLEAVE_TORCH)
    return()
  endif()
  add_executable(${arg_NAME} ${arg_SOURCE})
  if(arg_TORCH)
    target_link_libraries(${arg_NAME} PRIVATE cleave::cleave cleave_warnings)
    if(TARGET cleave_library_pch)
      target_precompile_headers(${arg_NAME} REUSE_FROM cleave_library_pch)
      target_compile_options(${arg_NAME} PRIVATE ${cleave_torch_options})
    endif()
  else()
    target_link_libraries(${arg_NAME} PRIVATE cleave::core cleave_warnings)
  endif()
  if(arg_EXPECT AND CLEAVE_TESTS)
    set(how)
    foreach(option IN ITEMS FAILS TWICE)
      if(arg_${option})
        list(APPEND how ${option})
      endif()
    endforeach()
    cleave_run_test(NAME example_${arg_NAME} TARGET ${arg_NAME} EXPECT "${arg_EXPECT}" ${how}
                    ARGS ${arg_ARGS} LABELS example ${arg_LABELS})
  endif()
endfunction()

# cleave_fuzz(NAME <name> SOURCE <file> CORPUS <folder> [SECONDS <n>] [TORCH] [LIBRARIES -l<name>...])
# libFuzzer comes with Clang only, so the program is compiled by it whatever compiles the rest.
function(cleave_fuzz)
  cmake_parse_arguments(PARSE_ARGV 0 arg "TORCH" "NAME;SOURCE;CORPUS;SECONDS" "LIBRARIES")
  if(NOT CLEAVE_CLANG)
    message(STATUS "No clang++: fuzz test ${arg_NAME} left out")
    return()
  endif()
  if(NOT arg_SECONDS)
    set(arg_SECONDS 60)
  endif()
  if(CLEAVE_FUZZ_SECONDS)
    set(arg_SECONDS ${CLEAVE_FUZZ_SECONDS})
  endif()
  set(program ${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME})
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${arg_SOURCE})
  set(folders "$<TARGET_PROPERTY:cleave_core,INTERFACE_INCLUDE_DIRECTORIES>")
  set(torch)
  if(arg_TORCH)
    set(torch "$<TARGET_PROPERTY:cleave::libtorch,INTERFACE_INCLUDE_DIRECTORIES>")
    list(APPEND arg_LIBRARIES ${LibTorch_torch_cpu} ${LibTorch_c10} "-Wl,-rpath,${LIBTORCH_ROOT}/lib"
                              "-Wl,--allow-shlib-undefined" -lz)
  endif()
  add_custom_command(
    OUTPUT ${program}
    COMMAND ${CLEAVE_CLANG} -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined
            -fno-sanitize-recover=undefined -DFMT_HEADER_ONLY "-I$<JOIN:${folders},;-I>"
            "$<$<BOOL:${torch}>:-isystem$<JOIN:${torch},;-isystem>>"
            ${source} -o ${program} ${arg_LIBRARIES} -MD -MF ${program}.d
    DEPENDS ${source}
    DEPFILE ${program}.d
    COMMENT "Compiling fuzz test ${arg_NAME}"
    COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(${arg_NAME}_program ALL DEPENDS ${program})
  # New inputs go to the first folder; the committed corpus is only read.
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}_found)
  add_test(NAME ${arg_NAME}
           COMMAND ${program} -max_total_time=${arg_SECONDS} -timeout=20 -print_final_stats=0
                   -verbosity=0 ${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}_found
                   ${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS})
  set_tests_properties(${arg_NAME} PROPERTIES LABELS fuzz COST ${arg_SECONDS})
endfunction()

# cleave_verify_by_clang(<target> <header> <source>...): compiles each source, which reaches the
# header, without an object file.
function(cleave_verify_by_clang target header)
  if(NOT CLEAVE_CLANG)
    message(STATUS "No clang++: ${target} does nothing")
    add_custom_target(${target})
    return()
  endif()
  set(clang ${CLEAVE_CLANG} @${PROJECT_BINARY_DIR}/flags_cleave.rsp)
  set(precompiled ${CMAKE_CURRENT_BINARY_DIR}/${target}.pch)
  file(CONFIGURE OUTPUT ${target}.hpp CONTENT "#include ${header}\n")
  add_custom_command(
    OUTPUT ${precompiled}
    COMMAND ${clang} -x c++-header -fpch-instantiate-templates ${target}.hpp -o ${precompiled} -MD -MF
            ${precompiled}.d
    DEPENDS ${target}.hpp
    DEPFILE ${precompiled}.d
    COMMENT "Precompiling for ${target}"
    VERBATIM)
  foreach(source IN LISTS ARGN)
    add_custom_command(
      OUTPUT ${source}.alone
      COMMAND ${clang} -include-pch ${precompiled} -fsyntax-only ${source} -MD -MT ${source}.alone -MF
              ${source}.d
      COMMAND ${CMAKE_COMMAND} -E touch ${source}.alone
      DEPENDS ${precompiled} ${source}
      DEPFILE ${source}.d
      COMMENT "Compiling ${source}"
      VERBATIM)
    list(APPEND stamps ${source}.alone)
  endforeach()
  add_custom_target(${target} DEPENDS ${stamps})
endfunction()

# cleave_benchmark(NAME <name> SOURCE <file> [TORCH])
function(cleave_benchmark)
  cmake_parse_arguments(PARSE_ARGV 0 arg "TORCH" "NAME;SOURCE" "")
  if(NOT CLEAVE_BENCHMARKS OR (arg_TORCH AND NOT CLEAVE_TORCH))
    return()
  endif()
  find_package(benchmark REQUIRED)
  set(target benchmark_${arg_NAME})
  add_executable(${target} ${arg_SOURCE})
  if(arg_TORCH)
    target_link_libraries(${target} PRIVATE cleave::cleave)
  else()
    target_link_libraries(${target} PRIVATE cleave::core)
  endif()
  target_link_libraries(${target} PRIVATE cleave_warnings benchmark::benchmark)
endfunction()

# cleave_compile_fail_tests(<folder>): one test for each source in the folder. Its first line is
# `// expect: <sentence of the message>`, its second `// needs: core` or `// needs: torch`.
function(cleave_compile_fail_tests folder)
  # LibTorch is two thirds of what such a source takes to read.
  set(before_cleave)
  if(TARGET cleave_library_pch AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    set(before_cleave ${cleave_library_pch_options} -include ${cleave_library_pch_header})
  endif()

  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    file(STRINGS ${source} lines LIMIT_COUNT 2)
    if(lines MATCHES "// needs: core")
      set(library core)
    elseif(lines MATCHES "// needs: torch")
      set(library cleave)
    else()
      message(FATAL_ERROR "${source}: the second line must be `// needs: core` or `// needs: torch`")
    endif()
    if(TARGET cleave_${library})
      add_test(NAME compile_fail_${name}
               COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DCOMPILER=${CMAKE_CXX_COMPILER}
                       -DFLAGS=${PROJECT_BINARY_DIR}/flags_${library}.rsp
                       "-DBEFORE=${before_${library}}"
                       -P ${PROJECT_SOURCE_DIR}/cmake/compile_fail.cmake)
      set_tests_properties(compile_fail_${name} PROPERTIES LABELS compile_fail)
    endif()
  endforeach()
endfunction()
