# Which headers belong to cleave::core and which to cleave::cleave. Used by CMakeLists.txt and by
# the script umbrella.cmake; both set cleave_root to the checkout.
#
# The rooms of the lower layers are core by decree: a LibTorch include there is a mistake, and the
# header verification of cleave::core, which has no path to LibTorch, fails on it. A room that
# holds headers of both kinds is sorted by what each header includes, directly or through others.

set(cleave_core_rooms core space graph tabular)
set(cleave_core_files core graph tabular report version split/split split/tree split/tree_text
                      split/tree_json split/tree_dot)
set(cleave_mixed_rooms testing report schedule)
# Headers of cleave::image_folder, which needs libjpeg-turbo and libpng besides; in no umbrella.
set(cleave_image_headers data/image_decoder.hpp data/image_folder.hpp data/jpeg_reader.hpp)

# Sets `out` to the headers of this project that `header` reaches, itself included, and
# `outside_out` to all others that those include. Paths are relative to include/cleave.
function(cleave_reached header out outside_out)
  set(waiting ${header})
  set(seen)
  set(outside)
  while(waiting)
    list(POP_FRONT waiting here)
    if(here IN_LIST seen OR NOT EXISTS ${cleave_root}/include/cleave/${here})
      continue()
    endif()
    list(APPEND seen ${here})
    file(STRINGS ${cleave_root}/include/cleave/${here} lines REGEX "^#include <")
    foreach(line IN LISTS lines)
      if(line MATCHES "<cleave/([^>]+)>")
        list(APPEND waiting ${CMAKE_MATCH_1})
      elseif(line MATCHES "<([^>]+)>")
        list(APPEND outside ${CMAKE_MATCH_1})
      endif()
    endforeach()
  endwhile()
  set(${out} ${seen} PARENT_SCOPE)
  set(${outside_out} ${outside} PARENT_SCOPE)
endfunction()

# Sorts `headers`, paths relative to include/cleave, into two lists.
function(cleave_sort_headers headers core_out torch_out)
  set(core)
  set(torch)
  foreach(header IN LISTS headers)
    string(REGEX REPLACE "/.*" "" room ${header})
    string(REGEX REPLACE "\\.hpp$" "" stem ${header})
    set(owner torch)
    if(room IN_LIST cleave_core_rooms OR stem IN_LIST cleave_core_files)
      set(owner core)
    elseif(room IN_LIST cleave_mixed_rooms)
      cleave_reached(${header} reached outside)
      # A header of ours that is not core drags its own needs along.
      list(FILTER reached EXCLUDE REGEX "^(core|space|graph|tabular|split|testing|report)/")
      list(FILTER reached EXCLUDE REGEX "^schedule/")
      list(FILTER reached EXCLUDE REGEX "^version.hpp$")
      list(FILTER outside INCLUDE REGEX "^(torch/|ATen/|c10/|zlib)")
      if(NOT outside AND NOT reached)
        set(owner core)
      endif()
    endif()
    list(APPEND ${owner} ${header})
  endforeach()
  set(${core_out} ${core} PARENT_SCOPE)
  set(${torch_out} ${torch} PARENT_SCOPE)
endfunction()
