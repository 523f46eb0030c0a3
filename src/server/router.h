#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_types.h"
#include "server/metrics.h"

namespace firn {

// Answers a request, now or later, on any thread. Called on a connection's thread, so it must not
// wait: what may touch a disk goes to a pool.
using HttpHandler = std::function<void(const HttpRequestPtr&, const Responder&)>;
// How failures look on a route that the handler never saw (too large, too slow, not allowed).
using ErrorEncoder = HttpResponse (*)(const HttpRequest&, int http_status, std::string_view code,
                                      std::string_view message);

struct Route {
  HttpMethod method = HttpMethod::kGet;
  std::string pattern;  // "/api/v1/namespaces/{ns}/events"; a placeholder is a whole segment
  HttpHandler handler;
  ErrorEncoder error = nullptr;  // null: the API's JSON
  // The handler is called when the head has arrived and reads the body from body_source, while it
  // answers or before. No size limit applies; the connection is closed afterwards. Only for
  // patterns without placeholders; a path that spells one with escapes brings the body whole.
  bool streams_body = false;
};

// A set of routes that a listener can mount.
using Face = std::vector<Route>;

// Finds the route of a request. Thread rule: immutable after construction, any thread.
class Router {
 public:
  // `metrics` must outlive the router. `fallback`: how failures look where there is no route; null:
  // the API's JSON.
  Router(const std::vector<Face>& faces, ServerMetrics* metrics, ErrorEncoder fallback = nullptr);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Answers through the route's handler, or 404, 405 with Allow, 400 for a broken path. Returns
  // where the request is to be counted.
  RouteMetrics* handle(const HttpRequestPtr& request, const Responder& respond) const;
  // Whether handle() wants the body as a source.
  bool streams_body(const HttpRequest& request) const;
  // A failure before handle(), in the form of the route that the request would have had.
  HttpResponse error(const HttpRequest& request, int http_status, std::string_view code,
                     std::string_view message) const;
  RouteMetrics* no_route() const { return no_route_; }

 private:
  struct Compiled {
    Route route;
    std::vector<std::string> segments;  // an empty one takes any argument
    RouteMetrics* metrics = nullptr;
  };

  static bool matches(const Compiled& compiled, const std::vector<std::string>& segments);

  std::vector<Compiled> routes_;
  std::vector<Route> streaming_;  // those whose bodies are streamed
  RouteMetrics* no_route_;
  ErrorEncoder fallback_;
};

}  // namespace firn
