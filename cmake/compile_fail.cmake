# Compiles one source that must not compile and looks for the sentence its first line announces.
# Variables: SOURCE, COMPILER, FLAGS (a response file), BEFORE (options that name a precompiled header).
cmake_minimum_required(VERSION 3.24)

file(STRINGS ${SOURCE} lines LIMIT_COUNT 1)
if(NOT lines MATCHES "^// expect: (.+)$")
  message(FATAL_ERROR "${SOURCE} must begin with `// expect: <sentence of the message>`")
endif()
set(sentence "${CMAKE_MATCH_1}")

execute_process(COMMAND ${COMPILER} @${FLAGS} ${BEFORE} -fsyntax-only ${SOURCE}
                RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)

if(result EQUAL 0)
  message(FATAL_ERROR "it compiles, but should be refused with: ${sentence}")
endif()
string(FIND "${output}" "${sentence}" place)
if(place EQUAL -1)
  message(FATAL_ERROR "refused without the sentence\n  ${sentence}\nThe compiler said:\n${output}")
endif()
