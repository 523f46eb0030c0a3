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
        case fixed64(1):
          record.time_unix_nano = message.get_fixed64();
          break;
        case varint(2):
          record.severity_number = message.get_int32();
          break;
        case bytes(3):
          record.severity_text = view(&message);
          break;
        case bytes(5):
          if (record.body == 0) record.body = tree_.add(AnyNode::Kind::kUnset);
          any_value(view(&message), record.body, 0, &tree_);
          break;
        case bytes(6):
          key_value(view(&message), record.attributes, 0, &tree_);
          break;
        case varint(7):
          record.dropped_attributes_count = message.get_uint32();
          break;
        case fixed32(8):
          record.flags = message.get_fixed32();
          break;
        case bytes(9):
          copy_id(view(&message), &record.trace_id.bytes);
          break;
        case bytes(10):
          copy_id(view(&message), &record.span_id);
          break;
        case fixed64(11):
          record.observed_time_unix_nano = message.get_fixed64();
          break;
        case bytes(12):
          record.event_name = view(&message);
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
