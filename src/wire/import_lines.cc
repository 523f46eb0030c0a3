#include "wire/import_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "wire/import_formats.h"
#include "wire/json_text.h"

namespace firn {
namespace {

constexpr std::string_view kBlank = " \t\r";

DecodeDefaults defaults_of(const ImportOptions& options) {
  DecodeDefaults defaults;
  defaults.now = options.now;
  defaults.make_id = options.make_id;
  defaults.limits = options.limits;
  return defaults;
}

}  // namespace

std::optional<ImportFormat> parse_import_format(std::string_view name) {
  if (name == "ndjson") return ImportFormat::kNdjson;
  if (name == "lines") return ImportFormat::kLines;
  if (name == "apache") return ImportFormat::kApache;
  if (name == "syslog") return ImportFormat::kSyslog;
  return std::nullopt;
}

struct LineImporter::State {
  State(ImportFormat import_format, ImportOptions import_options)
      : format(import_format),
        options(std::move(import_options)),
        defaults(defaults_of(options)),
        events(defaults),
        builder(Dataset::kEvents) {
    if (options.source.empty()) options.source = "import";
    if (options.reference_time == 0) options.reference_time = options.now;
  }

  void read_line(std::string_view line, ImportedLine* out) {
    switch (format) {
      case ImportFormat::kNdjson:
        read_ndjson_line(line, options.limits, &events, &pool, out);
        break;
      case ImportFormat::kLines:
        read_text_line(line, &pool, out);
        break;
      case ImportFormat::kApache:
        read_apache_line(line, &pool, out);
        break;
      case ImportFormat::kSyslog:
        read_syslog_line(line, options.reference_time, &pool, out);
        break;
    }
  }

  // The line as text that fits one event, with the reason why it is stored so.
  void read_unparsed(std::string_view line, std::string_view reason, ImportedLine* out) {
    *out = ImportedLine{};
    std::string* error = pool.take();
    error->assign(utf8_cut(reason, kReasonBytesMax));
    // Escapes can take several times the room of what they stand for, so the size is tried out.
    std::string_view kept = utf8_cut(line, options.limits.event_bytes);
    std::string* data = pool.take();
    append_json_string(kept, data);
    while (data->size() + kRoomAroundData > options.limits.event_bytes && !kept.empty()) {
      kept = utf8_cut(kept, kept.size() / 2);
      data->clear();
      append_json_string(kept, data);
    }
    if (kept.size() < line.size()) {
      *error += fmt::format("; the line of {} bytes was cut at {}", line.size(), kept.size());
    }
    std::string* metadata = pool.take();
    JsonObjectWriter object(metadata);
    object.text("parse_error", *error);
    object.close();
    out->row.kind = EventKind::kLog;
    out->row.type = "log";
    out->row.data = *data;
    out->row.metadata = *metadata;
  }

  void add(ImportedLine* line) {
    EventRow& row = line->row;
    if (line->has_time) {
      last_time = row.time;
    } else {
      ++counts.without_time;
      row.time = last_time.value_or(options.reference_time);
    }
    // An event of Firn's stays as it is: filled in, it would differ from the stored one.
    if (row.source.empty() && !line->is_event) row.source = options.source;
    if (line->has_id) {
      taken.rows_with_id.push_back(builder.rows());
    } else if (row.id.is_zero()) {
      row.id = options.make_id();
    }
    bytes += event_row_bytes(row);
    builder.add(row);
  }

  static constexpr size_t kReasonBytesMax = 512;
  static constexpr size_t kRoomAroundData = 4 * kKiB;  // for the other columns

  ImportFormat format;
  ImportOptions options;
  const DecodeDefaults defaults;
  EventReader events;
  StringPool pool;
  BatchBuilder builder;
  DecodedEvents taken;  // rows_with_id of the rows in the builder
  ImportCounts counts;
  std::optional<TimeNs> last_time;
  uint64_t bytes = 0;
};

LineImporter::LineImporter(ImportFormat format, ImportOptions options)
    : state_(std::make_unique<State>(format, std::move(options))) {}
LineImporter::~LineImporter() = default;
LineImporter::LineImporter(LineImporter&&) noexcept = default;
LineImporter& LineImporter::operator=(LineImporter&&) noexcept = default;

void LineImporter::add_line(std::string_view line) {
  State& state = *state_;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.find_first_not_of(kBlank) == std::string_view::npos) return;
  state.pool.reset();
  ++state.counts.lines;
  ImportedLine imported;
  state.read_line(line, &imported);
  // A source that is put in later counts, too.
  const size_t bytes = event_row_bytes(imported.row) + state.options.source.size();
  if (imported.error.empty() && bytes > state.options.limits.event_bytes && !imported.is_event) {
    imported.error = "too long for one event";
  }
  if (imported.error.empty()) {
    ++state.counts.parsed;
  } else {
    ++state.counts.unparsed;
    state.read_unparsed(line, imported.error, &imported);
  }
  state.add(&imported);
}

bool LineImporter::batch_ready() const {
  return state_->builder.rows() >= state_->options.batch_rows ||
         state_->bytes >= state_->options.batch_bytes;
}

DecodedEvents LineImporter::take_batch() {
  State& state = *state_;
  DecodedEvents taken = std::move(state.taken);
  state.taken = {};
  state.bytes = 0;
  if (state.builder.rows() > 0) taken.batch = state.builder.finish();
  return taken;
}

const ImportCounts& LineImporter::counts() const { return state_->counts; }

}  // namespace firn
