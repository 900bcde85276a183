# Runs a program and fails unless it succeeds and its output matches. (A test's own property
# PASS_REGULAR_EXPRESSION would let a program pass that prints its line and then crashes.)
# Usage: cmake -DEXPECT=<regular expression> -DFAILS=<ON if it has to fail> -P run_example.cmake -- <program> <argument>...
cmake_minimum_required(VERSION 3.24)

set(command)
set(after_dashes OFF)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(number RANGE ${last})
  if(after_dashes)
    list(APPEND command "${CMAKE_ARGV${number}}")
  elseif(CMAKE_ARGV${number} STREQUAL "--")
    set(after_dashes ON)
  endif()
endforeach()

execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE output
                ERROR_VARIABLE output)
message("${output}")
if(NOT "${output}" MATCHES "${EXPECT}")
  message(FATAL_ERROR "the output does not match: ${EXPECT}")
endif()
if(FAILS AND result EQUAL 0)
  message(FATAL_ERROR "it succeeded, but should have failed")
elseif(NOT FAILS AND NOT result EQUAL 0)
  message(FATAL_ERROR "it ended with ${result}")
endif()
