// SPDX-License-Identifier: LGPL-2.1-or-later
#include "draw/graph.h"

#include <memory>
#include <type_traits>

#include "base/scope_exit.h"
#include "view/text.h"

namespace quiesced {
namespace {

/// libcgraph's interface lacks the const that it keeps.
char* text_for(const char* text) {
    return const_cast<char*>(text); // NOLINT(cppcoreguidelines-pro-type-const-cast)
}
char* text_for(const std::string& text) { return text_for(text.c_str()); }

/// Graphviz reads "\N" and the like in a text as something to be replaced.
std::string plain(std::string_view text) {
    std::string escaped;
    for (const char c : printable(text)) escaped += c == '\\' ? std::string("\\\\") : std::string(1, c);
    return escaped;
}

std::string& complaints() {
    static std::string text;
    return text;
}

int keep_complaint(char* text) {
    complaints() += text;
    return 0;
}

/// The type of a length in gvRenderData(): unsigned int up to graphviz 10, size_t later.
template <typename Length>
Length length_of(int (*)(GVC_t*, graph_t*, const char*, char**, Length*));
using RenderedLength = decltype(length_of(&::gvRenderData));

} // namespace

std::string markup(std::string_view text) {
    std::string marked;
    for (const char c : printable(text)) {
        switch (c) {
        case '&': marked += "&amp;"; break;
        case '<': marked += "&lt;"; break;
        case '>': marked += "&gt;"; break;
        case '"': marked += "&quot;"; break;
        default: marked += c;
        }
    }
    return marked;
}

Graph::Graph() : graph_(::agopen(text_for("graph"), Agdirected, nullptr)) {
    complaints().clear();
    ::agseterrf(keep_complaint);
}

Graph::~Graph() { ::agclose(graph_); }

Agraph_t* Graph::subgraph(Agraph_t* parent, const std::string& name) { return ::agsubg(parent, text_for(name), 1); }

Agnode_t* Graph::node(const std::string& name) { return ::agnode(graph_, text_for(printable(name)), 1); }

void Graph::put(Agnode_t* node, Agraph_t* into) { ::agsubnode(into, node, 1); }

Agedge_t* Graph::edge(Agnode_t* from, Agnode_t* to) { return ::agedge(graph_, from, to, nullptr, 1); }

void Graph::set_default(int kind, const char* attribute, const char* text) { ::agattr(graph_, kind, text_for(attribute), text_for(text)); }

void Graph::set(void* object, const char* attribute, std::string_view text) {
    ::agsafeset(object, text_for(attribute), text_for(plain(text)), text_for(""));
}

void Graph::set_markup(void* object, const char* attribute, const std::string& html) {
    // The graph owns what agstrdup_html() returns, and knows by it that this is no plain text.
    ::agsafeset(object, text_for(attribute), ::agstrdup_html(graph_, text_for(html)), text_for(""));
}

Result<std::string> Graph::to_svg() {
    const std::unique_ptr<GVC_t, int (*)(GVC_t*)> context(::gvContext(), &::gvFreeContext);
    const auto failed = [] {
        return fail(ErrorKind::io, "graphviz cannot draw the graph: " + complaints(), "Is its layout engine dot there? Try: dot -V; as root: dot -c");
    };
    if (::gvLayout(context.get(), graph_, "dot") != 0) return failed();
    const ScopeExit free_layout([&] { ::gvFreeLayout(context.get(), graph_); });
    char* data = nullptr;
    RenderedLength length = 0;
    if (::gvRenderData(context.get(), graph_, "svg", &data, &length) != 0 || data == nullptr) return failed();
    const std::unique_ptr<char, void (*)(char*)> owned(data, &::gvFreeRenderData);
    return std::string(data, length);
}

} // namespace quiesced
