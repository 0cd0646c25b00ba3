# fmd_add_test(NAME SOURCES file... [LIBS target...] [LABELS label...] [NPROCS n...] [TIMEOUT s])
#
# Declares a cmocka program. Without NPROCS it runs alone; with it, once for each number of ranks
# under mpirun. fmd_add_script(NAME script... [LABELS ...] [TIMEOUT s]) declares a shell script.
#
# More ranks than cores, unbound, over shared memory alone, and no word from mpirun when a rank
# fails on purpose: OMPI_ is for Open MPI 4, PRTE_ for 5, which knows no mpirun -q any more.
set(FMD_TEST_ENVIRONMENT
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  OMPI_MCA_rmaps_base_oversubscribe=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
  OMPI_MCA_hwloc_base_binding_policy=none PRTE_MCA_hwloc_default_binding_policy=none
  OMPI_MCA_orte_execute_quiet=1 PRTE_MCA_prte_execute_quiet=1
  OMPI_MCA_btl=^tcp,openib,ofi OMPI_MCA_btl_vader_single_copy_mechanism=none
  FMD_SOURCE_DIR=${PROJECT_SOURCE_DIR} FMD_PROGRAM=${CMAKE_BINARY_DIR}/fmnist-dist
  UBSAN_OPTIONS=print_stacktrace=1)

function(fmd_add_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBS;LABELS;NPROCS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE fmd_options ${ARG_LIBS} PkgConfig::CMOCKA m)
  if(NOT ARG_NPROCS)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
                         ENVIRONMENT "${FMD_TEST_ENVIRONMENT}")
  endif()
  foreach(n IN LISTS ARG_NPROCS)
    # LeakSanitizer sees Open MPI's own unloaded modules as leaks.
    add_test(NAME ${name}.np${n}
             COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${n} $<TARGET_FILE:${name}>)
    set_tests_properties(${name}.np${n} PROPERTIES LABELS "${ARG_LABELS}" PROCESSORS 2
                         TIMEOUT ${ARG_TIMEOUT}
                         ENVIRONMENT "${FMD_TEST_ENVIRONMENT};ASAN_OPTIONS=detect_leaks=0")
  endforeach()
endfunction()

function(fmd_add_script name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND ${ARG_UNPARSED_ARGUMENTS})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" PROCESSORS 2
                       TIMEOUT ${ARG_TIMEOUT}
                       ENVIRONMENT "${FMD_TEST_ENVIRONMENT};ASAN_OPTIONS=detect_leaks=0")
endfunction()
