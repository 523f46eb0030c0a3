# The rigs: the real server, faults from outside and an oracle outside; tests/README.md has the table.
# Each has a short run, and a long one with the label "slow". What a machine cannot run is skipped.

if(NOT TARGET firn OR FIRN_PROFILE STREQUAL "fuzz")
  return()
endif()
find_package(Python3 COMPONENTS Interpreter REQUIRED)

# firn_rig(<name> <script> [SLOW] [TIMEOUT seconds] [WAL type] <options of the script>...)
function(firn_rig name script)
  cmake_parse_arguments(PARSE_ARGV 2 RIG "SLOW" "TIMEOUT;WAL" "")
  add_test(NAME ${name}
    COMMAND ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tests/rig/${script}"
            --binary $<TARGET_FILE:firn> ${RIG_UNPARSED_ARGUMENTS})
  set(environment "${FIRN_TEST_ENVIRONMENT}")
  if(RIG_WAL)
    list(APPEND environment "FIRN_WAL_TYPE=${RIG_WAL}")
  endif()
  set(label rig)
  set(timeout 600)
  if(RIG_SLOW)
    set(label slow)
    set(timeout 3600)
  endif()
  if(RIG_TIMEOUT)
    set(timeout ${RIG_TIMEOUT})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout} SKIP_RETURN_CODE 77
    RUN_SERIAL ON ENVIRONMENT "${environment}")
endfunction()

add_test(NAME order_check_test
  COMMAND ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tests/rig/order_check_test.py")
set_tests_properties(order_check_test PROPERTIES LABELS rig TIMEOUT 60)

add_test(NAME history_rig_test
  COMMAND ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tests/rig/history_rig_test.py")
set_tests_properties(history_rig_test PROPERTIES LABELS rig TIMEOUT 60)

firn_rig(kill_rig_15 kill_rig.py --cycles 15)
firn_rig(kill_rig_1000 kill_rig.py SLOW --cycles 1000)
firn_rig(kill_rig_rocksdb_5 kill_rig.py WAL rocksdb --cycles 5)
firn_rig(kill_rig_rocksdb_200 kill_rig.py SLOW WAL rocksdb --cycles 200)

firn_rig(power_cut_rig_2 power_cut_rig.py --cycles 2)
firn_rig(power_cut_rig_200 power_cut_rig.py SLOW TIMEOUT 7200 --cycles 200)
firn_rig(power_cut_rig_rocksdb_40 power_cut_rig.py SLOW WAL rocksdb --cycles 40)

# The seed decides which calls fail; with this one, most of them are the log's.
firn_rig(bad_disk_calls_rig_4 bad_disk_rig.py --faults calls --cycles 4 --seed 1)
firn_rig(bad_disk_calls_rig_190 bad_disk_rig.py SLOW TIMEOUT 7200 --faults calls --cycles 190)
firn_rig(bad_disk_device_rig_1 bad_disk_rig.py --faults device --cycles 1)
firn_rig(bad_disk_device_rig_20 bad_disk_rig.py SLOW --faults device --cycles 20)

firn_rig(order_rig_1 order_rig.py --cycles 1 --seconds 2)
firn_rig(order_rig_5 order_rig.py SLOW --cycles 5 --seconds 60)

firn_rig(retry_rig_60 retry_rig.py --requests 60)
firn_rig(retry_rig_20000 retry_rig.py SLOW TIMEOUT 7200 --cycles 5 --requests 4000)

firn_rig(history_rig_10000 history_rig.py --operations 10000 --seconds 60)
firn_rig(history_rig_1000000 history_rig.py SLOW TIMEOUT 10800 --operations 1000000 --seconds 9000)

firn_rig(backup_rig_4 backup_rig.py --cycles 4)
firn_rig(backup_rig_100 backup_rig.py SLOW TIMEOUT 7200 --cycles 100)

firn_rig(enospc_rig_3 enospc_rig.py --cycles 3)
firn_rig(enospc_rig_50 enospc_rig.py SLOW TIMEOUT 7200 --cycles 50)

firn_rig(series_rig_100000 series_rig.py --series 100000 --mebibytes 256)
firn_rig(series_rig_5000000 series_rig.py SLOW --series 5000000)

firn_rig(metrics_rig_8 metrics_rig.py --cycles 8 --servers 10)
firn_rig(metrics_rig_100 metrics_rig.py SLOW TIMEOUT 7200 --cycles 20)

firn_rig(clock_rig_2 clock_rig.py --cycles 2)
firn_rig(clock_rig_20 clock_rig.py SLOW --cycles 20)

firn_rig(memory_rig_20 memory_rig.py --seconds 20)
firn_rig(memory_rig_300 memory_rig.py SLOW TIMEOUT 7200 --seconds 300)

firn_rig(restart_rig_64 restart_rig.py --log-mebibytes 64)
firn_rig(restart_rig_1024 restart_rig.py SLOW --log-mebibytes 1024)

firn_rig(sustained_rig_2000000 sustained_rig.py --events 2000000)
firn_rig(sustained_rig_40000000 sustained_rig.py SLOW TIMEOUT 7200 --events 40000000)

firn_rig(postgres_rig_4 postgres_rig.py TIMEOUT 1200 --cycles 4)
firn_rig(postgres_rig_blocks_12 postgres_rig.py SLOW --cycles 12 --layout blocks)
firn_rig(postgres_rig_10min postgres_rig.py SLOW TIMEOUT 7200 --cycles 4 --outage 600)

firn_rig(tier_move_rig_300 tier_move_rig.py --checks 300)
firn_rig(tier_move_rig_10000 tier_move_rig.py SLOW TIMEOUT 7200 --checks 10000)
firn_rig(tier_move_rig_postgres_100 tier_move_rig.py --tiers postgres --checks 100)
firn_rig(tier_move_rig_postgres_10000 tier_move_rig.py SLOW TIMEOUT 7200 --tiers postgres --checks 10000)

firn_rig(slow_disk_rig_3 slow_disk_rig.py --seconds 3)
firn_rig(slow_disk_rig_30 slow_disk_rig.py SLOW --seconds 30)

# What a sanitizer keeps of freed memory is no growth.
set(measured)
if(FIRN_PROFILE MATCHES "^(asan|tsan)$")
  set(measured --unmeasured)
endif()
firn_rig(hostile_otlp_rig_300 hostile_otlp_rig.py --requests 300 --seed 1 ${measured})
firn_rig(hostile_otlp_rig_10000 hostile_otlp_rig.py SLOW --requests 10000 ${measured})

# firn_rgw(<name> [SLOW] <program> <arguments>...): the program beside a real S3 server.
function(firn_rgw name)
  cmake_parse_arguments(PARSE_ARGV 1 RGW "SLOW" "" "")
  add_test(NAME ${name}
    COMMAND ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tests/rig/rgw.py" -- ${RGW_UNPARSED_ARGUMENTS})
  set(label rig)
  set(timeout 600)
  if(RGW_SLOW)
    set(label slow)
    set(timeout 7200)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout} SKIP_RETURN_CODE 77
    RUN_SERIAL ON ENVIRONMENT "${FIRN_TEST_ENVIRONMENT}")
endfunction()
firn_rgw(object_store_rgw $<TARGET_FILE:firn_tier_object_test> --gtest_filter=*/real_s3)
# The same server below the Parquet tier, and below the whole program.
firn_rgw(parquet_rgw $<TARGET_FILE:firn_tier_registry_test> --gtest_filter=*Conformance*/parquet_s3*)
firn_rgw(retry_rig_rgw_60 ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tests/rig/retry_rig.py"
         --binary $<TARGET_FILE:firn> --requests 60)
firn_rgw(backup_rig_rgw_3 ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tests/rig/backup_rig.py"
         --binary $<TARGET_FILE:firn> --cycles 3)
firn_rgw(tier_move_rig_s3_100 ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tests/rig/tier_move_rig.py"
         --binary $<TARGET_FILE:firn> --tiers memory-postgres-s3 --checks 100)
firn_rgw(tier_move_rig_s3_10000 SLOW ${Python3_EXECUTABLE} -B "${PROJECT_SOURCE_DIR}/tests/rig/tier_move_rig.py"
         --binary $<TARGET_FILE:firn> --tiers memory-postgres-s3 --checks 10000)

# The rigs must notice a server that does not sync. Sanitizers want to be the first library that is
# loaded, so this is for the other builds.
if(FIRN_PROFILE MATCHES "^(dev|release)$")
  add_library(no_sync_preload MODULE rig/no_sync_preload.c)
  target_link_libraries(no_sync_preload PRIVATE ${CMAKE_DL_LIBS})
  set(preload $<TARGET_FILE:no_sync_preload>)
  firn_rig(power_cut_rig_detects_2 power_cut_rig.py --cycles 2 --unsafe-no-sync ${preload})
  firn_rig(power_cut_rig_detects_20 power_cut_rig.py SLOW --cycles 20 --unsafe-no-sync ${preload})
  firn_rig(order_rig_detects_1 order_rig.py --cycles 1 --seconds 2 --unsafe-no-sync ${preload})
endif()
