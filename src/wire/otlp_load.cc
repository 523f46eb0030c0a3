#include "wire/otlp_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <protozero/pbf_writer.hpp>

#include "base/bytes.h"
#include "base/hash.h"

namespace firn {

namespace {

using protozero::pbf_writer;

// Numbers of fields in opentelemetry/proto/{logs,metrics,trace,common,resource}/v1.
constexpr uint32_t kRequestResources = 1;
constexpr uint32_t kResource = 1, kScopes = 2;
constexpr uint32_t kResourceAttributes = 1;
constexpr uint32_t kScope = 1, kScopeRecords = 2;
constexpr uint32_t kScopeName = 1, kScopeVersion = 2;
constexpr uint32_t kKey = 1, kValue = 2;
constexpr uint32_t kStringValue = 1, kIntValue = 3;
constexpr uint32_t kMetricName = 1, kMetricUnit = 3, kMetricGauge = 5, kMetricSum = 7;
constexpr uint32_t kPoints = 1, kTemporality = 2, kIsMonotonic = 3;
constexpr uint32_t kPointStart = 2, kPointTime = 3, kPointDouble = 4, kPointInt = 6;
constexpr uint32_t kPointAttributes = 7;
constexpr int32_t kCumulative = 2;
constexpr uint32_t kPointsPerMetric = 50;

constexpr const char* kRoutes[] = {"/cart", "/cart/items", "/checkout", "/orders/{id}", "/login"};
constexpr const char* kMethods[] = {"GET", "POST", "PUT"};

template <typename Write>
void add_message(pbf_writer* to, uint32_t field, const Write& write) {
  std::string bytes;
  pbf_writer message(bytes);
  write(&message);
  to->add_message(field, bytes);
}

void add_text(pbf_writer* to, uint32_t field, std::string_view key, std::string_view text) {
  add_message(to, field, [&](pbf_writer* attribute) {
    attribute->add_string(kKey, key.data(), key.size());
    add_message(attribute, kValue, [&](pbf_writer* value) {
      value->add_string(kStringValue, text.data(), text.size());
    });
  });
}

void add_integer(pbf_writer* to, uint32_t field, std::string_view key, int64_t integer) {
  add_message(to, field, [&](pbf_writer* attribute) {
    attribute->add_string(kKey, key.data(), key.size());
    add_message(attribute, kValue,
                [&](pbf_writer* value) { value->add_int64(kIntValue, integer); });
  });
}

void add_resource(pbf_writer* to, uint64_t seed) {
  add_message(to, kResource, [&](pbf_writer* resource) {
    add_text(resource, kResourceAttributes, "service.name", fmt::format("shop-{}", seed % 12));
    add_text(resource, kResourceAttributes, "service.namespace", "retail");
    add_text(resource, kResourceAttributes, "service.instance.id", fmt::format("pod-{:06}", seed));
    add_text(resource, kResourceAttributes, "deployment.environment", "production");
    add_text(resource, kResourceAttributes, "host.name", fmt::format("node-{}", seed % 40));
    add_integer(resource, kResourceAttributes, "process.pid",
                static_cast<int64_t>(1000 + seed % 9000));
  });
}

// A record's number from which what varies is taken.
struct Record {
  uint64_t random = 0;
  TimeNs time = 0;
  std::string trace_id;  // 16 bytes
  std::string span_id;   // 8 bytes

  Record(uint64_t seed, uint32_t index, TimeNs now)
      : random(hash_bytes(std::to_string(index), seed)), time(now + index * kMicrosecondNs) {
    append_le(&trace_id, hash_bytes("trace", random));
    append_le(&trace_id, random);
    append_le(&span_id, (seed + 1) << 48 | index);
  }
  std::string_view method() const { return kMethods[random % std::size(kMethods)]; }
  std::string_view route() const { return kRoutes[random / 7 % std::size(kRoutes)]; }
  int64_t http_status() const { return random % 50 == 0 ? 500 : 200; }
};

void add_request_attributes(pbf_writer* to, uint32_t field, const Record& record) {
  add_text(to, field, "http.request.method", record.method());
  add_text(to, field, "http.route", record.route());
  add_integer(to, field, "http.response.status_code", record.http_status());
  add_integer(to, field, "http.response.body.size", static_cast<int64_t>(record.random % 65'536));
  add_text(to, field, "user.id", fmt::format("user-{}", record.random / 11 % 3000));
}

std::string log_record(const Record& record) {
  constexpr uint32_t kTime = 1, kSeverity = 2, kSeverityText = 3, kBody = 5, kAttributes = 6;
  constexpr uint32_t kFlags = 8, kTraceId = 9, kSpanId = 10, kObservedTime = 11;
  const bool failed = record.http_status() == 500;
  std::string bytes;
  pbf_writer log(bytes);
  log.add_fixed64(kTime, static_cast<uint64_t>(record.time));
  log.add_int32(kSeverity, failed ? 17 : 9);
  log.add_string(kSeverityText, failed ? "ERROR" : "INFO");
  add_message(&log, kBody, [&](pbf_writer* value) {
    value->add_string(kStringValue,
                      fmt::format("{} {} answered {} after {} ms", record.method(), record.route(),
                                  record.http_status(), record.random / 13 % 900));
  });
  add_request_attributes(&log, kAttributes, record);
  log.add_fixed32(kFlags, 1);
  log.add_bytes(kTraceId, record.trace_id);
  log.add_bytes(kSpanId, record.span_id);
  log.add_fixed64(kObservedTime, static_cast<uint64_t>(record.time + kMicrosecondNs));
  return bytes;
}

std::string span_record(const Record& record) {
  constexpr uint32_t kTraceId = 1, kSpanId = 2, kParentSpanId = 4, kName = 5, kKind = 6;
  constexpr uint32_t kStart = 7, kEnd = 8, kAttributes = 9, kStatus = 15;
  constexpr uint32_t kStatusCode = 3;
  constexpr int32_t kServer = 2, kError = 2;
  std::string bytes;
  pbf_writer span(bytes);
  span.add_bytes(kTraceId, record.trace_id);
  span.add_bytes(kSpanId, record.span_id);
  std::string parent;
  append_le(&parent, record.random);
  span.add_bytes(kParentSpanId, parent);
  span.add_string(kName, fmt::format("{} {}", record.method(), record.route()));
  span.add_int32(kKind, kServer);
  span.add_fixed64(kStart, static_cast<uint64_t>(record.time));
  span.add_fixed64(kEnd, static_cast<uint64_t>(record.time) + record.random % kSecondNs);
  add_request_attributes(&span, kAttributes, record);
  if (record.http_status() == 500) {
    add_message(&span, kStatus, [](pbf_writer* status) { status->add_int32(kStatusCode, kError); });
  }
  return bytes;
}

bool is_sum(uint32_t point) { return point / kPointsPerMetric % 2 == 1; }

// The time comes last but for the value, so that both are found from the other's place.
std::string point_record(uint64_t seed, uint32_t index, TimeNs now) {
  std::string bytes;
  pbf_writer point(bytes);
  const uint32_t number = index % kPointsPerMetric;
  add_text(&point, kPointAttributes, "http.request.method", kMethods[number % 3]);
  add_text(&point, kPointAttributes, "http.route", fmt::format("/orders/{}", number / 3));
  add_integer(&point, kPointAttributes, "server.port", 8080);
  point.add_fixed64(kPointStart, static_cast<uint64_t>(now - static_cast<TimeNs>(seed + 1)));
  point.add_fixed64(kPointTime, static_cast<uint64_t>(now + index));
  if (is_sum(index)) {
    point.add_sfixed64(kPointInt, 0);
  } else {
    point.add_double(kPointDouble, 0);
  }
  return bytes;
}

void add_metrics(pbf_writer* of_scope, uint32_t points, TimeNs now, uint64_t seed) {
  for (uint32_t first = 0; first < points; first += kPointsPerMetric) {
    add_message(of_scope, kScopeRecords, [&](pbf_writer* metric) {
      metric->add_string(kMetricName, fmt::format("shop.http.metric_{}", first / kPointsPerMetric));
      metric->add_string(kMetricUnit, is_sum(first) ? "{request}" : "ms");
      add_message(metric, is_sum(first) ? kMetricSum : kMetricGauge, [&](pbf_writer* data) {
        const uint32_t end = std::min(points, first + kPointsPerMetric);
        for (uint32_t i = first; i < end; ++i)
          data->add_message(kPoints, point_record(seed, i, now));
        if (!is_sum(first)) return;
        data->add_int32(kTemporality, kCumulative);
        data->add_bool(kIsMonotonic, true);
      });
    });
  }
}

// Where the times of the points stand, in order: at first each has its own.
std::vector<size_t> find_times(const std::string& body, uint32_t points, TimeNs now) {
  std::vector<size_t> places;
  places.reserve(points);
  size_t from = 0;
  for (uint32_t i = 0; i < points; ++i) {
    std::string time;
    append_le(&time, static_cast<uint64_t>(now + i));
    from = body.find(time, from);
    FIRN_CHECK(from != std::string::npos);
    places.push_back(from);
    from += time.size();
  }
  return places;
}

// A gauge wanders around its own level with two decimals; a sum grows by its own rate.
void renew_point(char* time, uint32_t index, TimeNs now, uint64_t turn) {
  store_le<uint64_t>(time, static_cast<uint64_t>(now) + turn * kSecondNs);
  char* value = time + sizeof(uint64_t) + 1;
  const uint64_t noise = (turn + index) * 0x9e37'79b9'7f4a'7c15u >> 56;
  if (is_sum(index)) {
    store_le<uint64_t>(value, turn * (100 + index) + noise % 8);
  } else {
    const auto hundredths = static_cast<double>(1000 * (index % 90) + noise);
    store_le<uint64_t>(value, std::bit_cast<uint64_t>(hundredths / 100));
  }
}

// Where the ids of the spans stand, in order. Each follows its trace's id and two bytes, the number
// of its field and its size.
std::vector<size_t> find_ids(const std::string& body, uint64_t seed, uint32_t records) {
  std::vector<size_t> places;
  places.reserve(records);
  size_t from = 0;
  for (uint32_t i = 0; i < records; ++i) {
    const std::string trace_id = Record(seed, i, 0).trace_id;
    const size_t found = body.find(trace_id, from);
    FIRN_CHECK(found != std::string::npos);
    from = found + trace_id.size() + 2;
    places.push_back(from);
  }
  return places;
}

}  // namespace

void OtlpLoad::renew(uint64_t turn) {
  if (signal == OtlpSignal::kMetrics) {
    for (uint32_t i = 0; i < identities.size(); ++i) {
      renew_point(body.data() + identities[i], i, now, turn);
    }
    return;
  }
  for (const size_t place : identities) {
    // The low bits are the record's number, the highest the load's.
    char* bytes = body.data() + place;
    const uint64_t kept = load_le<uint64_t>(bytes) & 0xffff'0000'000f'ffffu;
    store_le<uint64_t>(bytes, kept | (turn & 0xfff'ffffu) << 20);
  }
}

OtlpLoad make_otlp_load(OtlpSignal signal, uint32_t records, TimeNs now, uint64_t seed) {
  FIRN_CHECK(seed < 1 << 15 && records < 1 << 20);
  OtlpLoad load{signal, now, {}, {}};
  pbf_writer request(load.body);
  add_message(&request, kRequestResources, [&](pbf_writer* of_resource) {
    add_resource(of_resource, seed);
    add_message(of_resource, kScopes, [&](pbf_writer* of_scope) {
      add_message(of_scope, kScope, [](pbf_writer* scope) {
        scope->add_string(kScopeName, "shop.http");
        scope->add_string(kScopeVersion, "1.4.2");
      });
      if (signal == OtlpSignal::kMetrics) return add_metrics(of_scope, records, now, seed);
      for (uint32_t i = 0; i < records; ++i) {
        const Record record(seed, i, now);
        of_scope->add_message(
            kScopeRecords, signal == OtlpSignal::kLogs ? log_record(record) : span_record(record));
      }
    });
  });
  if (signal == OtlpSignal::kTraces) load.identities = find_ids(load.body, seed, records);
  if (signal == OtlpSignal::kMetrics) {
    load.identities = find_times(load.body, records, now);
    load.renew(0);
  }
  return load;
}

}  // namespace firn
