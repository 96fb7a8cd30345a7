// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/targetd/http_pool.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <mutex>

namespace quiesced {
namespace {

constexpr std::size_t kReplyLimit = 16U << 20U; ///< bytes; a list of 10 000 volumes has 2 MiB

struct EasyDeleter {
    void operator()(CURL* handle) const { ::curl_easy_cleanup(handle); }
};
struct MultiDeleter {
    void operator()(CURLM* handle) const { ::curl_multi_cleanup(handle); }
};
struct ListDeleter {
    void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using List = std::unique_ptr<curl_slist, ListDeleter>;

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* text) {
    auto& body = *static_cast<std::string*>(text);
    if (body.size() + size * count > kReplyLimit) return 0; // ends the transfer with an error
    body.append(data, size * count);
    return size * count;
}

HttpReply::Kind kind_of(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return HttpReply::Kind::unreachable;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return HttpReply::Kind::untrusted;
    case CURLE_OPERATION_TIMEDOUT:
        return HttpReply::Kind::timed_out;
    default:
        return HttpReply::Kind::broken;
    }
}

template <typename Value>
Value info(CURL* handle, CURLINFO what) {
    Value value{};
    ::curl_easy_getinfo(handle, what, &value);
    return value;
}

} // namespace

struct HttpPool::State {
    TargetdArray array;
    std::unique_ptr<CURLM, MultiDeleter> multi{::curl_multi_init()};
    List headers;
    List resolved;                 ///< after the first reply: the address that answered
    std::vector<Easy> handles;     ///< reused, with their buffers

    struct Transfer {
        CURL* handle = nullptr;
        HttpReply* reply = nullptr;
        const std::string* body = nullptr;
        std::array<char, CURL_ERROR_SIZE> problem{};
    };

    void prepare(Transfer& transfer, std::chrono::milliseconds limit) const {
        CURL* handle = transfer.handle;
        ::curl_easy_reset(handle); // keeps connections, the TLS session and the resolver's answers
        ::curl_easy_setopt(handle, CURLOPT_URL, array.url.c_str());
        ::curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
        ::curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L); // never to where nobody has checked the certificate
        ::curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
        ::curl_easy_setopt(handle, CURLOPT_PROXY, "");
        ::curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BASIC); // sent with the first request: no round trip for a 401
        ::curl_easy_setopt(handle, CURLOPT_USERNAME, array.user.c_str());
        ::curl_easy_setopt(handle, CURLOPT_PASSWORD, array.password.c_str());
        ::curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
        ::curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(transfer.body->size()));
        ::curl_easy_setopt(handle, CURLOPT_POSTFIELDS, transfer.body->c_str());
        ::curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &take_body);
        ::curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer.reply->body);
        ::curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, transfer.problem.data());
        ::curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
        ::curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min<std::int64_t>(limit.count(), 5000)));
        ::curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
        ::curl_easy_setopt(handle, CURLOPT_MAXAGE_CONN, 3600L); // a prepared set may wait
        ::curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
        ::curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
        if (!array.ca_file.empty()) ::curl_easy_setopt(handle, CURLOPT_CAINFO, array.ca_file.c_str());
        if (!array.pinned_key.empty()) ::curl_easy_setopt(handle, CURLOPT_PINNEDPUBLICKEY, array.pinned_key.c_str());
        if (resolved) ::curl_easy_setopt(handle, CURLOPT_RESOLVE, resolved.get());
        ::curl_easy_setopt(handle, CURLOPT_PRIVATE, &transfer);
    }

    /// The name's address, kept for good: in the window there may be no resolver to ask.
    void keep_address(CURL* handle) {
        if (resolved) return;
        const auto* address = info<char*>(handle, CURLINFO_PRIMARY_IP);
        const auto port = info<long>(handle, CURLINFO_PRIMARY_PORT);
        if (address == nullptr || *address == '\0' || port == 0) return;
        const auto start = array.url.find("://") + 3;
        auto host = array.url.substr(start, array.url.find_first_of("/:", start) - start);
        if (host.empty() || host.front() == '[') return; // an IPv6 address needs no lookup
        const bool is_v6 = std::string_view(address).find(':') != std::string_view::npos;
        const auto entry = host + ":" + std::to_string(port) + ":" + (is_v6 ? "[" : "") + address + (is_v6 ? "]" : "");
        resolved.reset(::curl_slist_append(nullptr, entry.c_str()));
    }

    void conclude(Transfer& transfer, CURLcode code) {
        auto& reply = *transfer.reply;
        reply.took = std::chrono::microseconds(info<curl_off_t>(transfer.handle, CURLINFO_TOTAL_TIME_T));
        reply.connecting = std::chrono::microseconds(std::max(info<curl_off_t>(transfer.handle, CURLINFO_APPCONNECT_TIME_T),
                                                              info<curl_off_t>(transfer.handle, CURLINFO_CONNECT_TIME_T)));
        if (info<long>(transfer.handle, CURLINFO_NUM_CONNECTS) == 0) reply.connecting = {};
        if (code == CURLE_OK) {
            reply.kind = HttpReply::Kind::answered;
            reply.status = info<long>(transfer.handle, CURLINFO_RESPONSE_CODE);
            keep_address(transfer.handle);
            return;
        }
        reply.kind = kind_of(code);
        reply.problem = transfer.problem[0] != '\0' ? transfer.problem.data() : ::curl_easy_strerror(code);
    }
};

HttpPool::HttpPool(const TargetdArray& array) : state_(std::make_unique<State>()) {
    static std::once_flag once;
    std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
    state_->array = array;
    // Without "Expect: 100-continue", which costs a round trip.
    state_->headers.reset(::curl_slist_append(nullptr, "Content-Type: application/json"));
    if (auto* longer = ::curl_slist_append(state_->headers.get(), "Expect:"); longer != nullptr) {
        static_cast<void>(state_->headers.release());
        state_->headers.reset(longer);
    }
    ::curl_multi_setopt(state_->multi.get(), CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(array.connections));
    ::curl_multi_setopt(state_->multi.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(array.connections));
}

HttpPool::~HttpPool() = default;

std::vector<HttpReply> HttpPool::post(const std::vector<std::string>& bodies, std::chrono::milliseconds limit) {
    std::vector<HttpReply> replies(bodies.size());
    std::vector<State::Transfer> transfers(bodies.size());
    while (state_->handles.size() < bodies.size()) state_->handles.emplace_back(::curl_easy_init());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
        transfers[i].handle = state_->handles[i].get();
        transfers[i].reply = &replies[i];
        transfers[i].body = &bodies[i];
        state_->prepare(transfers[i], limit);
        ::curl_multi_add_handle(state_->multi.get(), transfers[i].handle);
    }
    int running = 0;
    do {
        if (::curl_multi_perform(state_->multi.get(), &running) != CURLM_OK) break;
        if (running > 0) ::curl_multi_poll(state_->multi.get(), nullptr, 0, 1000, nullptr);
    } while (running > 0);
    int left = 0;
    while (const auto* message = ::curl_multi_info_read(state_->multi.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        void* transfer = nullptr;
        ::curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        state_->conclude(*static_cast<State::Transfer*>(transfer), message->data.result);
    }
    for (const auto& transfer : transfers) ::curl_multi_remove_handle(state_->multi.get(), transfer.handle);
    return replies;
}

} // namespace quiesced
