#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "base/mutex.h"
#include "engine/checked_file.h"
#include "engine/columns.h"
#include "engine/instance.h"
#include "engine/parquet_reader.h"

namespace firn {

namespace {

// One stream of rows for several threads: whoever begins the next partition takes the next piece of
// the stream, so that partitions follow each other as the rows do.
class SharedRows : public BatchSource {
 public:
  // Pieces of about `piece_rows`; what is more than `rows_about` is the last partition's.
  SharedRows(BatchReader* rows, uint64_t rows_about, uint64_t piece_rows)
      : piece_rows_(piece_rows), partitions_(rows_about / piece_rows + 1), rows_(rows) {}

  Result<std::vector<Partition>> open(const Projection&, const Filter&) override {
    FIRN_CHECK(!opened_);  // the rows are there once
    opened_ = true;
    std::vector<Partition> partitions;
    for (size_t i = 0; i < partitions_; ++i) {
      partitions.push_back({std::make_unique<Piece>(this, i), {}});
    }
    return partitions;
  }

 private:
  class Piece : public BatchReader {
   public:
    Piece(SharedRows* shared, size_t index) : shared_(shared), index_(index) {}
    Result<bool> next(BatchSlice* out) override {
      const bool takes_all = index_ + 1 == shared_->partitions_;
      if (next_ == slices_.size() && (!has_taken_ || takes_all)) {
        slices_.clear();
        next_ = 0;
        has_taken_ = true;
        FIRN_TRY(shared_->take(index_, &slices_));
      }
      if (next_ == slices_.size()) return false;
      *out = std::move(slices_[next_++]);
      return true;
    }

   private:
    SharedRows* const shared_;
    const size_t index_;
    std::vector<BatchSlice> slices_;
    size_t next_ = 0;
    bool has_taken_ = false;
  };

  // Waits until all partitions before have taken theirs. They do so as soon as a thread has them.
  Status take(size_t index, std::vector<BatchSlice>* piece) EXCLUDES(mutex_) {
    MutexLock lock(&mutex_);
    while (turn_ < index) taken_.wait(&mutex_);
    Status status = pull(piece);
    turn_ = index + 1;
    taken_.notify_all();
    return status;
  }

  Status pull(std::vector<BatchSlice>* piece) REQUIRES(mutex_) {
    for (uint64_t rows = 0; failure_.ok() && rows < piece_rows_ && !has_ended_;) {
      BatchSlice slice;
      const Result<bool> more = rows_->next(&slice);
      failure_ = more.status();
      has_ended_ = more.ok() && !*more;
      if (!more.ok() || has_ended_) break;
      rows += slice.rows();
      piece->push_back(std::move(slice));
    }
    return failure_;
  }

  const uint64_t piece_rows_;
  const size_t partitions_;
  bool opened_ = false;
  Mutex mutex_;
  CondVar taken_;
  BatchReader* const rows_ GUARDED_BY(mutex_);
  size_t turn_ GUARDED_BY(mutex_) = 0;
  bool has_ended_ GUARDED_BY(mutex_) = false;
  Status failure_ GUARDED_BY(mutex_);
};

std::string path_list(const std::vector<std::string>& paths) {
  std::string list = "[";
  for (const std::string& path : paths) {
    list += (list.size() > 1 ? ", " : "") + sql_quote(env_url(path));
  }
  return list + "]";
}

std::string copy_options(const ParquetWrite& write) {
  std::string options = fmt::format(
      "FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd, COMPRESSION_LEVEL 1, "
      "ROW_GROUP_SIZE {}, "
      "USE_TMP_FILE false",
      write.row_group_rows);
  if (write.metadata.empty()) return options;
  std::string metadata;
  for (const auto& [key, value] : write.metadata) {
    if (!metadata.empty()) metadata += ", ";
    metadata += sql_identifier(key) + ": " + sql_quote(value);
  }
  return options + ", KV_METADATA {" + metadata + "}";
}

// Numbers only where the text is exactly that number, so that nothing is rounded unseen.
std::string attribute_columns(const std::vector<AttributeColumn>& columns) {
  std::string sql;
  for (const AttributeColumn& column : columns) {
    const std::string text =
        fmt::format("firn_attribute(data, metadata, context, {})", sql_quote(column.key));
    std::string value = text;
    if (column.type == AttributeType::kInteger) {
      value = fmt::format(
          "CASE WHEN TRY_CAST({0} AS BIGINT)::VARCHAR = {0} THEN TRY_CAST({0} AS BIGINT) END",
          text);
    } else if (column.type == AttributeType::kNumber) {
      value = fmt::format("TRY_CAST({} AS DOUBLE)", text);
    } else if (column.type == AttributeType::kBoolean) {
      value = fmt::format("CASE {} WHEN 'true' THEN true WHEN 'false' THEN false END", text);
    }
    sql += fmt::format(", {} AS {}", value, sql_identifier(column.name));
  }
  return sql;
}

Status run_to_end(Client& client, const std::string& sql) {
  return guarded(*client.session, [&]() -> Status {
    auto result = client.connection.Query(sql);
    if (result->HasError()) return to_status(result->GetErrorObject(), *client.session);
    return {};
  });
}

Position parse_position(const std::string& text) {
  Position position = 0;
  std::from_chars(text.data(), text.data() + text.size(), position);
  return position;
}

using RowAction = std::function<void(duckdb::ColumnDataRow& row)>;

Status for_each_row(Client& client, const std::string& sql, const RowAction& action) {
  return guarded(*client.session, [&]() -> Status {
    auto result = client.connection.Query(sql);
    if (result->HasError()) return to_status(result->GetErrorObject(), *client.session);
    for (auto& row : result->Collection().GetRows()) action(row);
    return {};
  });
}

Status read_infos(Client& client, const std::vector<std::string>& paths,
                  std::vector<ParquetInfo>* infos) {
  std::map<std::string, ParquetInfo*> by_url;
  for (size_t i = 0; i < paths.size(); ++i) by_url[env_url(paths[i])] = &(*infos)[i];
  const auto info_of = [&](duckdb::ColumnDataRow& row) -> ParquetInfo* {
    const auto found = by_url.find(row.GetValue(0).ToString());
    FIRN_CHECK(found != by_url.end());
    return found->second;
  };
  const std::string list = path_list(paths);
  FIRN_TRY(for_each_row(client,
                        fmt::format("SELECT file_name, num_rows::BIGINT, num_row_groups::BIGINT "
                                    "FROM parquet_file_metadata({})",
                                    list),
                        [&](duckdb::ColumnDataRow& row) {
                          info_of(row)->rows =
                              static_cast<uint64_t>(row.GetValue(1).GetValue<int64_t>());
                          info_of(row)->row_groups =
                              static_cast<uint64_t>(row.GetValue(2).GetValue<int64_t>());
                        }));
  return for_each_row(
      client, fmt::format("SELECT file_name, key, value FROM parquet_kv_metadata({})", list),
      [&](duckdb::ColumnDataRow& row) {
        info_of(row)->metadata.emplace_back(duckdb::StringValue::Get(row.GetValue(1)),
                                            duckdb::StringValue::Get(row.GetValue(2)));
      });
}

}  // namespace

Status as_damage(const Status& status, const Session& session, const std::string& path) {
  if (!session.failure().ok()) return status;  // of Env or of the checksums, and names the file
  if (status.code() == StatusCode::kTooLarge) {
    return unavailable("the memory for reading and writing chunks is used up; try again later")
        .with_context(path);
  }
  const bool damage = status.code() == StatusCode::kInvalidArgument ||
                      status.code() == StatusCode::kInternal ||
                      status.code() == StatusCode::kIoError;
  const Status named = damage ? corruption(std::string(status.message())) : status;
  return named.with_context(path);
}

std::optional<std::string> ParquetInfo::find(std::string_view key) const {
  for (const auto& [name, value] : metadata) {
    if (name == key) return value;
  }
  return std::nullopt;
}

Status Engine::write_parquet(const ParquetWrite& write) {
  FIRN_CHECK(write.rows == nullptr || write.merge.empty());
  FIRN_ASSIGN(const std::unique_ptr<Client> client, instance_->connect());
  Session& session = *client->session;
  session.write = &write;
  session.may_read(write.merge);
  session.with_raw_column = true;
  EventTable table;
  table.name = "rows";
  table.dataset = write.dataset;
  SlicesReader no_rows({});
  BatchReader* const rows = write.rows == nullptr ? &no_rows : write.rows;
  table.batches =
      std::make_shared<SharedRows>(rows, write.rows_about, write.row_group_rows / 8 + 1);
  session.event_tables.push_back(&table);

  const std::string from = write.merge.empty()
                               ? "firn_scan('rows')"
                               : fmt::format("firn_parquet_in_order({}, hive_partitioning = false)",
                                             path_list(write.merge));
  FIRN_TRY(run_to_end(
      *client, fmt::format("COPY (SELECT {}{} FROM {}) TO {} ({})",
                           column_list(write.dataset, true), attribute_columns(write.attributes),
                           from, sql_quote(env_url(write.path)), copy_options(write))));
  if (!session.synced) return internal_error(write.path + ": written, but never synced");
  return {};
}

Result<std::vector<ParquetInfo>> Engine::parquet_info(std::span<const std::string> paths) {
  if (paths.empty()) return std::vector<ParquetInfo>();
  FIRN_ASSIGN(const std::unique_ptr<Client> client, instance_->connect());
  client->session->may_read(paths);
  std::vector<ParquetInfo> infos(paths.size());
  const Status status = read_infos(*client, {paths.begin(), paths.end()}, &infos);
  if (status.ok()) return infos;
  if (paths.size() == 1) return as_damage(status, *client->session, paths[0]);
  // One of them failed; alone it can be named.
  for (const std::string& path : paths) FIRN_TRY(parquet_info({&path, 1}).status());
  return status;
}

Result<std::vector<ParquetRowGroup>> Engine::parquet_row_groups(const std::string& path) {
  FIRN_ASSIGN(const std::unique_ptr<Client> client, instance_->connect());
  client->session->may_read({&path, 1});
  std::vector<ParquetRowGroup> groups;
  const auto add = [&](duckdb::ColumnDataRow& row) {
    ParquetRowGroup group;
    group.rows = static_cast<uint64_t>(row.GetValue(0).GetValue<int64_t>());
    if (group.rows == 0) return;
    group.first = parse_position(row.GetValue(1).ToString());
    group.last = parse_position(row.GetValue(2).ToString());
    groups.push_back(group);
  };
  const std::string url = sql_quote(env_url(path));
  Status status = for_each_row(
      *client,
      fmt::format("SELECT row_group_num_rows::BIGINT, stats_min_value, stats_max_value "
                  "FROM parquet_metadata({}) WHERE path_in_schema = 'position' "
                  "ORDER BY row_group_id",
                  url),
      add);
  if (!status.ok() && client->session->failure().ok()) {
    // The listing prints all statistics, and fails on times at the very end of their range. Such a
    // file is taken as one row group.
    groups.clear();
    status = for_each_row(*client,
                          fmt::format("SELECT count(*)::BIGINT, min(position), max(position) FROM "
                                      "read_parquet({}, hive_partitioning = false)",
                                      url),
                          add);
  }
  if (!status.ok()) return as_damage(status, *client->session, path);
  return groups;
}

Result<std::unique_ptr<BatchReader>> Engine::read_parquet(const ParquetRead& read) {
  FIRN_CHECK(read.namespace_id != 0);
  FIRN_ASSIGN(std::unique_ptr<Client> client, instance_->connect());
  client->session->may_read({&read.path, 1});
  // A missing file is told now rather than at the first row.
  FIRN_TRY(open_known_file(instance_->env, read.path).status());
  return std::unique_ptr<BatchReader>(std::make_unique<ParquetReader>(std::move(client), read));
}

}  // namespace firn
