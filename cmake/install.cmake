# What an installation holds: component "runtime" a shared library alone, component "dev" all that a build against it needs.
install(TARGETS hso EXPORT hsoTargets
  FILE_SET HEADERS COMPONENT dev
  ARCHIVE COMPONENT dev
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev
  RUNTIME COMPONENT runtime)

set(_hso_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hso)
install(EXPORT hsoTargets NAMESPACE hso:: DESTINATION ${_hso_cmake_dir} COMPONENT dev)
set(_hso_dependencies)  # of a program that links the static library; a shared one has its own
if(_hso_type STREQUAL STATIC_LIBRARY)
  string(APPEND _hso_dependencies "find_dependency(Threads)\n")
  if(HSO_WITH_NLOPT)
    string(APPEND _hso_dependencies "find_dependency(NLopt 2.7 CONFIG)\n")
  endif()
endif()
configure_package_config_file(cmake/hsoConfig.cmake.in hsoConfig.cmake INSTALL_DESTINATION ${_hso_cmake_dir})
write_basic_package_version_file(hsoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hsoConfig.cmake ${PROJECT_BINARY_DIR}/hsoConfigVersion.cmake
  DESTINATION ${_hso_cmake_dir} COMPONENT dev)

# pkg-config: relative to where hso.pc lies, so that an installation can be moved
set(_hso_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
function(_hso_pc_path result directory)
  if(IS_ABSOLUTE ${directory} OR IS_ABSOLUTE ${_hso_pc_dir})
    cmake_path(ABSOLUTE_PATH directory BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} NORMALIZE)
    set(${result} ${directory} PARENT_SCOPE)
  else()
    cmake_path(RELATIVE_PATH directory BASE_DIRECTORY ${_hso_pc_dir})
    set(${result} "\${pcfiledir}/${directory}" PARENT_SCOPE)
  endif()
endfunction()
_hso_pc_path(_hso_pc_libdir ${CMAKE_INSTALL_LIBDIR})
_hso_pc_path(_hso_pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
set(_hso_pc_requires)
if(HSO_WITH_NLOPT)
  set(_hso_pc_requires nlopt)
endif()
# A C compiler does not link the C++ library by itself.
set(_hso_pc_cxx ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
list(FILTER _hso_pc_cxx INCLUDE REGEX "c\\+\\+")
list(REMOVE_DUPLICATES _hso_pc_cxx)
list(TRANSFORM _hso_pc_cxx PREPEND -l)
list(JOIN _hso_pc_cxx " " _hso_pc_cxx)
set(_hso_pc_libs_private "${CMAKE_THREAD_LIBS_INIT} ${_hso_pc_cxx} -lm")
string(STRIP "${_hso_pc_libs_private}" _hso_pc_libs_private)
if(_hso_type STREQUAL STATIC_LIBRARY)
  # There is no other library than the static one: what it needs is part of --libs, with and without --static.
  set(_hso_pc_depends "Requires: ${_hso_pc_requires}\nLibs: -L\${libdir} -lhso ${_hso_pc_libs_private}\n"
    "Cflags: -I\${includedir} -DHSO_STATIC_DEFINE")
else()
  set(_hso_pc_depends "Requires.private: ${_hso_pc_requires}\nLibs: -L\${libdir} -lhso\nLibs.private: ${_hso_pc_libs_private}\n"
    "Cflags: -I\${includedir}")
endif()
list(JOIN _hso_pc_depends "" _hso_pc_depends)
configure_file(cmake/hso.pc.in hso.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/hso.pc DESTINATION ${_hso_pc_dir} COMPONENT dev)
