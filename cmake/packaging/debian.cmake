# Run by CPack on the staged trees: copyright and changelogs, compressed manual page, no second copy of
# the licence. The dates are those of SOURCE_DATE_EPOCH, else of the last commit or of CHANGELOG.md.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
set(source ${CPACK_FMD_SOURCE_DIR})
set(epoch $ENV{SOURCE_DATE_EPOCH})
if(NOT epoch)
  execute_process(COMMAND git -C ${source} log -1 --format=%ct OUTPUT_VARIABLE epoch
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT epoch) # a tarball
  file(TIMESTAMP ${source}/CHANGELOG.md epoch "%s" UTC)
endif()
set(ENV{SOURCE_DATE_EPOCH} "${epoch}")
set(ENV{LC_ALL} C)
execute_process(COMMAND date -u -R -d @${epoch} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)
file(READ ${source}/LICENSE licence)
string(REGEX REPLACE "\n\n" "\n.\n" licence "${licence}")
string(REGEX REPLACE "\n" "\n " licence "${licence}")
string(STRIP "${licence}" licence)

function(compress file)
  file(CHMOD ${file} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(part IN ITEMS program=fmnist-dist library=libfmd0 development=libfmd-dev)
  string(REPLACE "=" ";" part ${part})
  list(GET part 0 component)
  list(GET part 1 package)
  set(tree ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr)
  set(doc ${tree}/share/doc/${package})
  file(MAKE_DIRECTORY ${doc})
  file(WRITE ${doc}/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: fmnist-dist

Files: *
Copyright: 2026 The fmnist-dist authors
License: Expat
 ${licence}
")
  file(WRITE ${doc}/changelog.Debian
"fmnist-dist (${CPACK_FMD_VERSION}) unstable; urgency=medium

  * Release; CHANGELOG.md lists the changes.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  compress(${doc}/changelog.Debian)
  file(READ ${source}/CHANGELOG.md changelog)
  file(WRITE ${doc}/changelog "${changelog}")
  compress(${doc}/changelog)
  file(CHMOD ${doc}/copyright PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  file(REMOVE ${doc}/LICENSE ${doc}/CHANGELOG.md)
endforeach()
file(GLOB pages ${CPACK_TEMPORARY_DIRECTORY}/program/usr/share/man/man1/*.1)
foreach(page IN LISTS pages)
  compress(${page})
endforeach()
