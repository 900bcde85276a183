# Finds TurboJPEG (libjpeg-turbo) and libpng and makes the target cleave::image_codecs.
find_path(TURBOJPEG_INCLUDE_DIR turbojpeg.h)
find_library(TURBOJPEG_LIBRARY turbojpeg)
find_package(PNG QUIET)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ImageCodecs REQUIRED_VARS TURBOJPEG_LIBRARY TURBOJPEG_INCLUDE_DIR
                                                            PNG_FOUND)
if(ImageCodecs_FOUND AND NOT TARGET cleave::image_codecs)
  find_package(Threads REQUIRED)
  add_library(cleave::image_codecs INTERFACE IMPORTED)
  target_include_directories(cleave::image_codecs INTERFACE ${TURBOJPEG_INCLUDE_DIR})
  target_link_libraries(cleave::image_codecs INTERFACE ${TURBOJPEG_LIBRARY} PNG::PNG
                                                       Threads::Threads)
endif()
mark_as_advanced(TURBOJPEG_INCLUDE_DIR TURBOJPEG_LIBRARY)
