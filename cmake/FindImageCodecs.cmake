# Finds libjpeg-turbo (the interface that can decode a part of an image: 1.5 or newer, not the IJG's
# libjpeg) and libpng and makes the target cleave::image_codecs.
find_package(JPEG QUIET)
find_package(PNG QUIET)
set(ImageCodecs_DECODES_PARTS FALSE)
foreach(folder IN LISTS JPEG_INCLUDE_DIRS)
  if(EXISTS ${folder}/jpeglib.h)
    file(STRINGS ${folder}/jpeglib.h declared REGEX "jpeg_crop_scanline")
    if(declared)
      set(ImageCodecs_DECODES_PARTS TRUE)
    endif()
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ImageCodecs REQUIRED_VARS JPEG_FOUND PNG_FOUND
                                                            ImageCodecs_DECODES_PARTS)
if(ImageCodecs_FOUND AND NOT TARGET cleave::image_codecs)
  find_package(Threads REQUIRED)
  add_library(cleave::image_codecs INTERFACE IMPORTED)
  target_link_libraries(cleave::image_codecs INTERFACE JPEG::JPEG PNG::PNG Threads::Threads)
endif()
