#pragma once

// What the tests of this room and of its users share. Never part of the product.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "env/posix_env.h"
#include "env/test_directory.h"
#include "model/test_rows.h"

namespace firn {

// Serves given slices, each as a partition, and remembers what it was asked.
class TestSource : public BatchSource {
 public:
  explicit TestSource(std::vector<BatchSlice> slices, std::vector<std::string> extras = {})
      : slices_(std::move(slices)), extras_(std::move(extras)) {}

  Result<std::vector<Partition>> open(const Projection& projection, const Filter& filter) override {
    if (!failure.ok()) return failure;
    ++opened;
    last_projection = projection;
    last_filter = filter;
    std::vector<Partition> partitions;
    for (const BatchSlice& whole : slices_) {
      const BatchSlice slice = apply_filters ? apply_filter(whole, filter) : whole;
      if (slice.batch == nullptr) continue;
      partitions.push_back({std::make_unique<OneSlice>(slice, repeat), extras_});
    }
    return partitions;
  }

  std::vector<TierPlan> plan(const Filter&) const override { return plans; }

  std::vector<TierPlan> plans;  // what EXPLAIN is told
  bool apply_filters = false;   // deliver only what was asked for
  Status failure;               // returned by open()
  uint64_t repeat = 1;          // how often each slice is delivered
  int opened = 0;
  Projection last_projection = Projection::none();
  Filter last_filter;

 private:
  class OneSlice : public BatchReader {
   public:
    OneSlice(BatchSlice slice, uint64_t repeat) : slice_(std::move(slice)), left_(repeat) {}
    Result<bool> next(BatchSlice* out) override {
      if (left_ == 0) return false;
      --left_;
      *out = slice_;
      return true;
    }

   private:
    BatchSlice slice_;
    uint64_t left_;
  };

  std::vector<BatchSlice> slices_;
  std::vector<std::string> extras_;
};

// Collects an answer as text: rows joined by '|', NULL as "-".
class TextSink : public ResultSink {
 public:
  Status columns(std::span<const SqlColumn> columns) override {
    for (const SqlColumn& column : columns) {
      names.push_back(column.name);
      types.push_back(column.type);
    }
    return {};
  }
  Status row(std::span<const SqlValue> values) override {
    std::string text;
    for (const SqlValue& value : values) text += (text.empty() ? "" : "|") + to_text(value);
    rows.push_back(text);
    return {};
  }

  static std::string to_text(const SqlValue& value) {
    switch (value.kind) {
      case SqlKind::kNull:
        return "-";
      case SqlKind::kBool:
        return value.boolean ? "true" : "false";
      case SqlKind::kInt64:
        return std::to_string(value.integer);
      case SqlKind::kUint64:
        return std::to_string(value.unsigned_integer);
      case SqlKind::kDouble:
        return std::to_string(value.real);
      case SqlKind::kTime:
        return format_time(value.integer);
      case SqlKind::kText:
      case SqlKind::kJson:
        return std::string(value.text);
    }
    return "?";
  }

  std::vector<std::string> names, types, rows;
};

// All rows of a reader, merged into batches; fails the test when the reader does.
inline std::vector<BatchSlice> read_all(BatchReader* reader) {
  std::vector<BatchSlice> slices;
  BatchSlice slice;
  while (true) {
    Result<bool> more = reader->next(&slice);
    EXPECT_TRUE(more.ok()) << more.status().to_string();
    if (!more.ok() || !*more) return slices;
    slices.push_back(slice);
  }
}

inline uint64_t count_rows(const std::vector<BatchSlice>& slices) {
  uint64_t rows = 0;
  for (const BatchSlice& slice : slices) rows += slice.rows();
  return rows;
}

}  // namespace firn
