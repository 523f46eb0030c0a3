#include "wire/otlp_protobuf.h"
#include "wire/otlp_readers.h"

namespace firn {
namespace {

class LogsReader final : public OtlpProtobufReader {
 public:
  LogsReader(const Limits& limits, OtlpLogRows* rows)
      : OtlpProtobufReader(limits, rows), rows_(rows) {}

 private:
  void record(ByteView data) override {
    OtlpLogRecord record;
    tree_.clear();
    record.attributes = tree_.add(AnyNode::Kind::kMap);
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case fixed64_field(1):
          record.time_unix_nano = message.get_fixed64();
          break;
        case varint_field(2):
          record.severity_number = message.get_int32();
          break;
        case bytes_field(3):
          record.severity_text = view_of(&message);
          break;
        case bytes_field(5):
          if (record.body == 0) record.body = tree_.add(AnyNode::Kind::kUnset);
          any_value(view_of(&message), record.body, 0, &tree_);
          break;
        case bytes_field(6):
          key_value(view_of(&message), record.attributes, 0, &tree_);
          break;
        case varint_field(7):
          record.dropped_attributes_count = message.get_uint32();
          break;
        case fixed32_field(8):
          record.flags = message.get_fixed32();
          break;
        case bytes_field(9):
          copy_id(view_of(&message), &record.trace_id.bytes);
          break;
        case bytes_field(10):
          copy_id(view_of(&message), &record.span_id);
          break;
        case fixed64_field(11):
          record.observed_time_unix_nano = message.get_fixed64();
          break;
        case bytes_field(12):
          record.event_name = view_of(&message);
          break;
        default:
          message.skip();
      }
    }
    rows_->add(record, tree_);
  }

  OtlpLogRows* const rows_;
};

}  // namespace

Status read_otlp_logs_protobuf(ByteView body, const Limits& limits, OtlpLogRows* rows) {
  return LogsReader(limits, rows).read(body, "logs");
}

}  // namespace firn
