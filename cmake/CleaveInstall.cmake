# Install rules. Two components, so that cleave::core can be installed and found without LibTorch.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/cleave)

install(TARGETS cleave_core EXPORT cleave_core COMPONENT core FILE_SET HEADERS)
install(EXPORT cleave_core NAMESPACE cleave:: DESTINATION ${package_folder} COMPONENT core
        FILE cleave-core.cmake)

if(CLEAVE_TORCH)
  install(TARGETS cleave_cleave EXPORT cleave_cleave COMPONENT cleave FILE_SET HEADERS)
  install(EXPORT cleave_cleave NAMESPACE cleave:: DESTINATION ${package_folder} COMPONENT cleave
          FILE cleave-cleave.cmake)
  if(TARGET cleave_image_folder)
    install(TARGETS cleave_image_folder EXPORT cleave_image_folder COMPONENT cleave
            FILE_SET HEADERS)
    install(EXPORT cleave_image_folder NAMESPACE cleave:: DESTINATION ${package_folder}
            COMPONENT cleave FILE cleave-image_folder.cmake)
    install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/cmake/FindImageCodecs.cmake
            DESTINATION ${package_folder} COMPONENT cleave)
  endif()
  install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/cmake/FindLibTorch.cmake DESTINATION ${package_folder}
          COMPONENT cleave)
endif()

configure_package_config_file(
  ${CMAKE_CURRENT_SOURCE_DIR}/cmake/cleaveConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/cleaveConfig.cmake INSTALL_DESTINATION ${package_folder}
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/cleaveConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cleaveConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/cleaveConfigVersion.cmake
        DESTINATION ${package_folder} COMPONENT core)
