#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "env/test_directory.h"
#include "store/store.h"

namespace firn {

inline constexpr TimeNs kDay = 1'700'006'400 * kSecondNs;  // a midnight

inline Id id_of(uint64_t number) {
  Id id;
  store_le<uint64_t>(id.bytes.data(), 0x1122334455667788ull);
  store_le<uint64_t>(id.bytes.data() + 8, number);
  return id;
}

// A small language: events are named by a text, which is their data.
class StoreTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  StoreOptions options() {
    StoreOptions options = default_store_options(directory_.path());
    options.mover_interval_ns = 20 * kMillisecondNs;
    options.tiers[1].keep_ns = 36'500 * kDayNs;  // nothing moves unless a test says so
    if (change_options_) change_options_(&options);
    return options;
  }
  void open() {
    auto opened = Store::open(env_, options());
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(*opened);
    space_ = store_->find_namespace("default")->id;
  }
  void restart() {
    store_.reset();
    open();
  }

  struct Spec {
    std::string data;
    TimeNs time = kDay;
    Id id{};  // zero: made by the store
    std::string stream{};
  };
  Result<AppendResult> append(const std::vector<Spec>& events) {
    BatchBuilder builder(Dataset::kEvents);
    AppendRequest request;
    for (uint32_t i = 0; i < events.size(); ++i) {
      EventRow row;
      row.time = events[i].time;
      row.id = events[i].id;
      row.type = "test";
      row.stream = events[i].stream;
      row.data = events[i].data;
      if (row.id.is_zero())
        row.id = store_->id_source()();
      else
        request.rows_with_client_id.push_back(i);
      builder.add(row);
    }
    request.batch = builder.finish();
    return store_->append_and_wait(space_, std::move(request));
  }

  // "position:data" of every row, in position order, by way of a snapshot's chunks.
  std::vector<std::string> contents() {
    std::map<Position, std::string> rows;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
      auto reader = snapshot->scan(chunk, ScanSpec{}, nullptr);
      EXPECT_TRUE(reader.ok()) << reader.status().to_string();
      BatchSlice slice;
      while (*(*reader)->next(&slice)) {
        for (uint32_t i = 0; i < slice.rows(); ++i) {
          const Position position = slice.batch->position(slice.row(i));
          const EventRow row = event_row(*slice.batch, slice.row(i));
          const bool fresh =
              rows.emplace(position, std::to_string(position) + ":" + std::string(row.data)).second;
          EXPECT_TRUE(fresh) << "position " << position << " has two owners";
        }
      }
    }
    std::vector<std::string> texts;
    for (const auto& [position, text] : rows) texts.push_back(text);
    return texts;
  }
  // "tier/state" of each chunk, old tiers first.
  std::vector<std::string> places() {
    std::vector<std::string> found;
    const SnapshotPtr snapshot = *store_->snapshot(space_);
    for (const SnapshotChunk& chunk : snapshot->chunks(Dataset::kEvents, Filter{})) {
      found.push_back(chunk.tier + "/" +
                      std::string(chunk.in_memory ? "memory" : chunk_state_name(chunk.state)));
    }
    return found;
  }
  ChunkCommandResult command(ChunkAction action, std::vector<std::string> names = {}) {
    ChunkCommand command;
    command.action = action;
    command.namespace_id = space_;
    command.names = std::move(names);
    return store_->command_and_wait(std::move(command));
  }
  Status flush() { return shown(command(ChunkAction::kFlush).status); }
  Status move() { return shown(command(ChunkAction::kMove).status); }
  static Status shown(Status status) {
    EXPECT_TRUE(status.ok()) << status.to_string();
    return status;
  }

  static void pause() {
    Mutex mutex;
    CondVar never;
    MutexLock lock(&mutex);
    (void)never.wait_for(&mutex, std::chrono::milliseconds(10));
  }

  TestDirectory directory_;
  Env* env_ = posix_env();
  std::function<void(StoreOptions*)> change_options_;
  std::unique_ptr<Store> store_;
  NamespaceId space_ = 0;
};

}  // namespace firn
