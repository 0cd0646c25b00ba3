# The manual page and the completions: the program prints them itself. Installing runs nothing. When
# cross-compiling, CMAKE_CROSSCOMPILING_EMULATOR or FMD_HOST_PROGRAM runs; without both they are left out.
set(FMD_HOST_PROGRAM "" CACHE FILEPATH "A fmnist-dist of this version for the machine that builds")

set(folder ${CMAKE_BINARY_DIR}/self-description)
file(MAKE_DIRECTORY ${folder})
set(program fmnist-dist)
if(FMD_HOST_PROGRAM)
  set(program ${FMD_HOST_PROGRAM})
elseif(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(STATUS "No manual page and no completions: they need FMD_HOST_PROGRAM, a fmnist-dist for "
                 "the machine that builds")
  return()
endif()

function(fmd_self_description file destination name)
  add_custom_command(OUTPUT ${folder}/${file}
                     COMMAND ${program} ${ARGN} > ${folder}/${file}.new
                     COMMAND ${CMAKE_COMMAND} -E rename ${folder}/${file}.new ${folder}/${file}
                     DEPENDS fmnist-dist VERBATIM)
  set_property(GLOBAL APPEND PROPERTY fmd_self_descriptions ${folder}/${file})
  install(FILES ${folder}/${file} DESTINATION ${destination} RENAME ${name})
endfunction()
fmd_self_description(fmnist-dist.1 ${CMAKE_INSTALL_MANDIR}/man1 fmnist-dist.1 help --man)
fmd_self_description(completion.bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions fmnist-dist
                     completion bash)
fmd_self_description(completion.zsh ${CMAKE_INSTALL_DATADIR}/zsh/site-functions _fmnist-dist
                     completion zsh)
fmd_self_description(completion.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d fmnist-dist.fish
                     completion fish)
get_property(files GLOBAL PROPERTY fmd_self_descriptions)
add_custom_target(self_description ALL DEPENDS ${files})
