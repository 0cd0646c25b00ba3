# Installs the C library: headers, libfmd.so, libfmd.a, a CMake package and pkg-config files.
include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/fmd)
install(DIRECTORY include/fmd DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(TARGETS fmd EXPORT fmd-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
        NAMELINK_COMPONENT development)
install(FILES $<TARGET_FILE_DIR:fmd>/libfmd.a DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(EXPORT fmd-targets NAMESPACE fmd:: DESTINATION ${package} COMPONENT development)
configure_package_config_file(cmake/fmd-config.cmake.in ${CMAKE_BINARY_DIR}/fmd-config.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/fmd-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/fmd-config.cmake ${CMAKE_BINARY_DIR}/fmd-config-version.cmake
        DESTINATION ${package} COMPONENT development)

# The prefix is known when the files are installed, so the folders are relative to the .pc file.
file(RELATIVE_PATH up /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
string(REGEX REPLACE "/$" "" up "${up}")
set(prefix "\${pcfiledir}/${up}")
set(libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
set(includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
set(FMD_REQUIRES_PRIVATE "hdf5 jansson libpng libxxhash libzip zlib")
if(FMD_HAS_HWLOC)
  string(APPEND FMD_REQUIRES_PRIVATE " hwloc")
endif()
if(FMD_HAS_JPEG)
  string(APPEND FMD_REQUIRES_PRIVATE " libjpeg")
endif()
if(FMD_HAS_TENSORBOARD OR FMD_HAS_ONNX)
  string(APPEND FMD_REQUIRES_PRIVATE " libprotobuf-c")
endif()
set(FMD_LIBS_PRIVATE "")
foreach(library IN LISTS MPI_C_LIBRARIES)
  string(APPEND FMD_LIBS_PRIVATE "${library} ")
endforeach()
string(APPEND FMD_LIBS_PRIVATE "-ldl -lm -lpthread")
foreach(file IN ITEMS fmd.pc fmd-static.pc)
  configure_file(cmake/${file}.in ${CMAKE_BINARY_DIR}/${file} @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${file} DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
          COMPONENT development)
endforeach()
