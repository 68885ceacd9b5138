# SPDX-License-Identifier: Apache-2.0
# Copyright the weft authors

# `cmake --install`: headers, libraries, the CMake package and weft.pc; all relocatable.
include(CMakePackageConfigHelpers)

set(weft_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weft")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/weft" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        FILES_MATCHING PATTERN "*.hpp")
install(TARGETS weft EXPORT weft_core INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT weft_core NAMESPACE weft:: FILE weft-core.cmake DESTINATION "${weft_package_dir}")

set(weft_component_packages "")
foreach(name IN LISTS weft_components)
    install(TARGETS weft_${name} EXPORT weft_${name}
            INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
    install(EXPORT weft_${name} NAMESPACE weft:: FILE weft-${name}.cmake
            DESTINATION "${weft_package_dir}")
    string(APPEND weft_component_packages
           "set(weft_${name}_package \"${weft_${name}_package}\")\n")
endforeach()

configure_package_config_file(cmake/weftConfig.cmake.in weftConfig.cmake
                              INSTALL_DESTINATION "${weft_package_dir}")
write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/weftConfig.cmake"
              "${PROJECT_BINARY_DIR}/weftConfigVersion.cmake" DESTINATION "${weft_package_dir}")

# The prefix is spelled relative to the .pc file, so an installed tree may be moved.
file(RELATIVE_PATH weft_prefix_from_pc "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file(cmake/weft.pc.in weft.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/weft.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
