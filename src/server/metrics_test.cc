#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string render(const ServerMetrics& metrics) {
  std::string out;
  MetricsText text(&out);
  metrics.render(&text);
  return out;
}

TEST(MetricsText, WritesHelpTypeAndSamples) {
  std::string out;
  MetricsText text(&out);
  text.family("firn_x", "gauge", "An x");
  text.sample({{"tier", "ho\"t\n"}, {"b", "\\"}}, uint64_t{7});
  text.gauge_seconds("firn_s", "Seconds", 1500 * kMillisecondNs);
  EXPECT_EQ(out,
            "# HELP firn_x An x\n# TYPE firn_x gauge\nfirn_x{tier=\"ho\\\"t\\n\",b=\"\\\\\"} 7\n"
            "# HELP firn_s Seconds\n# TYPE firn_s gauge\nfirn_s 1.5\n");
}

TEST(MetricsText, HistogramBucketsAreCumulative) {
  Histogram histogram;
  histogram.observe(50 * kMicrosecondNs);
  histogram.observe(100 * kMicrosecondNs);  // a bound belongs to its bucket
  histogram.observe(2 * kMillisecondNs);
  histogram.observe(kMinuteNs);
  std::string out;
  MetricsText text(&out);
  text.family("h", "histogram", "H");
  text.histogram({}, histogram);
  EXPECT_THAT(out, HasSubstr("h_bucket{le=\"0.0001\"} 2\n"));
  EXPECT_THAT(out, HasSubstr("h_bucket{le=\"0.001\"} 2\n"));
  EXPECT_THAT(out, HasSubstr("h_bucket{le=\"0.0025\"} 3\n"));
  EXPECT_THAT(out, HasSubstr("h_bucket{le=\"10\"} 3\n"));
  EXPECT_THAT(out, HasSubstr("h_bucket{le=\"+Inf\"} 4\n"));
  EXPECT_THAT(out, HasSubstr("h_count 4\n"));
}

TEST(ServerMetrics, OneRouteHasOneEntry) {
  ServerMetrics metrics;
  RouteMetrics* route = metrics.route("GET", "/a");
  EXPECT_EQ(metrics.route("GET", "/a"), route);
  EXPECT_NE(metrics.route("POST", "/a"), route);
  route->count(200, kMillisecondNs);
  route->count(200, kMillisecondNs);
  route->count(418, kMillisecondNs);
  const std::string out = render(metrics);
  EXPECT_THAT(out, HasSubstr("firn_http_requests_total{route=\"GET /a\",code=\"200\"} 2\n"));
  EXPECT_THAT(out, HasSubstr("firn_http_requests_total{route=\"GET /a\",code=\"0\"} 1\n"));
  EXPECT_THAT(out, Not(HasSubstr("code=\"404\"")));
}

TEST(ServerMetrics, RefusalsByReason) {
  ServerMetrics metrics;
  metrics.count_refusal("no_space");
  metrics.count_refusal("no_space");
  EXPECT_THAT(render(metrics), HasSubstr("firn_appends_refused_total{reason=\"no_space\"} 2\n"));
}

}  // namespace
}  // namespace firn
