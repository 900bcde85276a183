# Which headers belong to cleave::core and which to cleave::cleave.
#
# The rooms of the lower layers are core by decree: a LibTorch include there is a mistake, and the
# header verification of cleave::core, which has no path to LibTorch, fails on it. A room that
# holds headers of both kinds is sorted by what each header includes, directly or through others.

set(cleave_core_rooms core space graph tabular)
set(cleave_core_files core version split/split split/tree split/tree_text split/tree_json
                      split/tree_dot)
set(cleave_mixed_rooms testing report schedule)

# Sets `out` to TRUE when `header` (relative to include/cleave) reaches LibTorch or zlib.
function(cleave_reaches_torch header out)
  set(waiting ${header})
  set(seen)
  while(waiting)
    list(POP_FRONT waiting here)
    list(APPEND seen ${here})
    file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/include/cleave/${here} lines REGEX "^#include <")
    if(lines MATCHES "#include <(torch|ATen|c10|zlib)")
      set(${out} TRUE PARENT_SCOPE)
      return()
    endif()
    foreach(line IN LISTS lines)
      if(line MATCHES "<cleave/([^>]+)>" AND NOT CMAKE_MATCH_1 IN_LIST seen)
        if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/include/cleave/${CMAKE_MATCH_1})
          list(APPEND waiting ${CMAKE_MATCH_1})
        endif()
      endif()
    endforeach()
  endwhile()
  set(${out} FALSE PARENT_SCOPE)
endfunction()

function(cleave_sort_headers core_out torch_out)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/include/cleave
       ${CMAKE_CURRENT_SOURCE_DIR}/include/cleave/*.hpp)
  set(core)
  set(torch)
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "/.*" "" room ${header})
    string(REGEX REPLACE "\\.hpp$" "" stem ${header})
    set(owner torch)
    if(room IN_LIST cleave_core_rooms OR stem IN_LIST cleave_core_files)
      set(owner core)
    elseif(room IN_LIST cleave_mixed_rooms)
      cleave_reaches_torch(${header} needs_torch)
      if(NOT needs_torch)
        set(owner core)
      endif()
    endif()
    list(APPEND ${owner} include/cleave/${header})
  endforeach()
  set(${core_out} ${core} PARENT_SCOPE)
  set(${torch_out} ${torch} PARENT_SCOPE)
endfunction()
