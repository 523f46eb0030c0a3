#include "wire/otlp_protobuf.h"
#include "wire/otlp_readers.h"

namespace firn {
namespace {

class SpansReader final : public OtlpProtobufReader {
 public:
  SpansReader(const Limits& limits, OtlpSpanRows* rows)
      : OtlpProtobufReader(limits, rows), rows_(rows), parts_max_(otlp_span_parts_max(limits)) {}

 private:
  void record(ByteView data) override {
    span_.clear();
    tree_.clear();
    for (Message message = reader_of(data); message.next();) {
      if (!read_ids(&message) && !read_numbers(&message)) read_parts(&message);
    }
    rows_->add(span_, tree_);
  }

  bool read_ids(Message* message) {
    switch (message->tag_and_type()) {
      case bytes_field(1):
        copy_id(view_of(message), &span_.trace_id.bytes);
        return true;
      case bytes_field(2):
        copy_id(view_of(message), &span_.span_id);
        return true;
      case bytes_field(3):
        span_.trace_state = view_of(message);
        return true;
      case bytes_field(4):
        copy_id(view_of(message), &span_.parent_span_id);
        return true;
      case bytes_field(5):
        span_.name = view_of(message);
        return true;
      default:
        return false;
    }
  }

  bool read_numbers(Message* message) {
    switch (message->tag_and_type()) {
      case varint_field(6):
        span_.kind = message->get_int32();
        return true;
      case fixed64_field(7):
        span_.start_time_unix_nano = message->get_fixed64();
        return true;
      case fixed64_field(8):
        span_.end_time_unix_nano = message->get_fixed64();
        return true;
      case varint_field(10):
        span_.dropped_attributes_count = message->get_uint32();
        return true;
      case varint_field(12):
        span_.dropped_events_count = message->get_uint32();
        return true;
      case varint_field(14):
        span_.dropped_links_count = message->get_uint32();
        return true;
      case fixed32_field(16):
        span_.flags = message->get_fixed32();
        return true;
      default:
        return false;
    }
  }

  void read_parts(Message* message) {
    switch (message->tag_and_type()) {
      case bytes_field(9):
        attribute(view_of(message), &span_.attributes);
        break;
      case bytes_field(11):
        event(view_of(message));
        break;
      case bytes_field(13):
        link(view_of(message));
        break;
      case bytes_field(15):
        status(view_of(message));
        break;
      default:
        message->skip();
    }
  }

  void attribute(ByteView data, uint32_t* map) {
    if (*map == 0) *map = tree_.add(AnyNode::Kind::kMap);
    key_value(data, *map, 0, &tree_);
  }

  void event(ByteView data) {
    if (span_.overflowed) return;
    OtlpSpanEvent event;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case fixed64_field(1):
          event.time_unix_nano = message.get_fixed64();
          break;
        case bytes_field(2):
          event.name = view_of(&message);
          break;
        case bytes_field(3):
          attribute(view_of(&message), &event.attributes);
          break;
        case varint_field(4):
          event.dropped_attributes_count = message.get_uint32();
          break;
        default:
          message.skip();
      }
    }
    span_.add(event, parts_max_);
  }

  void link(ByteView data) {
    if (span_.overflowed) return;
    OtlpSpanLink link;
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case bytes_field(1):
          copy_id(view_of(&message), &link.trace_id.bytes);
          break;
        case bytes_field(2):
          copy_id(view_of(&message), &link.span_id);
          break;
        case bytes_field(3):
          link.trace_state = view_of(&message);
          break;
        case bytes_field(4):
          attribute(view_of(&message), &link.attributes);
          break;
        case varint_field(5):
          link.dropped_attributes_count = message.get_uint32();
          break;
        case fixed32_field(6):
          link.flags = message.get_fixed32();
          break;
        default:
          message.skip();
      }
    }
    span_.add(link, parts_max_);
  }

  void status(ByteView data) {
    for (Message message = reader_of(data); message.next();) {
      switch (message.tag_and_type()) {
        case bytes_field(2):
          span_.status_message = view_of(&message);
          break;
        case varint_field(3):
          span_.status_code = message.get_int32();
          break;
        default:
          message.skip();
      }
    }
  }

  OtlpSpanRows* const rows_;
  const size_t parts_max_;
  OtlpSpan span_;
};

}  // namespace

Status read_otlp_spans_protobuf(ByteView body, const Limits& limits, OtlpSpanRows* rows) {
  return SpansReader(limits, rows).read(body, "traces");
}

}  // namespace firn
