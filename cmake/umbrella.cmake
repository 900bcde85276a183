# cmake -P cmake/umbrella.cmake            checks the umbrellas against the folder
# cmake -DWRITE=ON -P cmake/umbrella.cmake rewrites their include lists
#
# core.hpp holds the vocabulary, the spaces and the split tree (std and fmt only), but for
# core/{mapped,replace}_file.hpp, which need <filesystem>; graph.hpp, report.hpp and tabular.hpp
# the other rooms of cleave::core; cleave.hpp these four and all the rest. Left out on purpose:
#   testing/   for test programs, whose authors include what they check
#   *_json     nlohmann/json.hpp alone takes as long to read as all of core.hpp
#   *_bytes    data that another header embeds
#   graph/spectral.hpp  Eigen's eigenvalue solver, a tenth of what a search program takes to compile
#   data/image_{decoder,folder}  cleave::image_folder, which needs libraries that cleave does not

cmake_minimum_required(VERSION 3.24)
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH cleave_root)
include(${CMAKE_CURRENT_LIST_DIR}/CleaveHeaders.cmake)
set(rooms graph report tabular)
set(left_out "^(testing/|graph/spectral.hpp$)|_json.hpp$|_bytes.hpp$")

file(GLOB_RECURSE headers RELATIVE ${cleave_root}/include/cleave
     ${cleave_root}/include/cleave/*.hpp)
list(FILTER headers EXCLUDE REGEX ${left_out})
list(REMOVE_ITEM headers ${cleave_image_headers} cleave.hpp core.hpp)
list(SORT headers)
cleave_sort_headers("${headers}" core torch)

function(umbrella file wanted)
  set(path ${cleave_root}/include/cleave/${file})
  file(READ ${path} text)
  string(REGEX REPLACE "#include.*" "" head "${text}")
  set(includes)
  foreach(header IN LISTS wanted)
    string(APPEND includes "#include <cleave/${header}>\n")
  endforeach()
  if("${text}" STREQUAL "${head}${includes}")
    return()
  endif()
  if(WRITE)
    file(WRITE ${path} "${head}${includes}")
    return()
  endif()
  foreach(header IN LISTS wanted)
    if(NOT text MATCHES "#include <cleave/${header}>")
      message("${file} lacks ${header}")
    endif()
  endforeach()
  message(FATAL_ERROR "${file} does not match include/cleave: run `cmake -DWRITE=ON -P \
cmake/umbrella.cmake`, or name the header among those left out there")
endfunction()

set(umbrellas core.hpp)
foreach(room IN LISTS rooms)
  set(headers ${core})
  list(REMOVE_ITEM core ${room}.hpp)
  list(FILTER headers INCLUDE REGEX "^${room}/")
  list(FILTER core EXCLUDE REGEX "^${room}/")
  umbrella(${room}.hpp "${headers}")
  list(APPEND umbrellas ${room}.hpp)
endforeach()
set(files core/mapped_file.hpp core/replace_file.hpp)
list(REMOVE_ITEM core ${files})
umbrella(core.hpp "${core}")
umbrella(cleave.hpp "${umbrellas};${files};${torch}")
