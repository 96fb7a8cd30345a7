// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include <graphviz/gvc.h>

#include "base/result.h"

namespace quiesced {

/// A text with the characters that XML has a use for escaped; printable, too.
std::string markup(std::string_view text);

/// A directed graph of graphviz's (libcgraph). One at a time in a process; not thread-safe. Attribute names are graphviz's.
class Graph {
public:
    Graph();
    ~Graph();
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;

    [[nodiscard]] Agraph_t* root() const { return graph_; }
    Agraph_t* subgraph(Agraph_t* parent, const std::string& name);
    /// The node of that name, made if it is new.
    Agnode_t* node(const std::string& name);
    /// Once more in a part of the graph.
    void put(Agnode_t* node, Agraph_t* into);
    Agedge_t* edge(Agnode_t* from, Agnode_t* to);
    /// For all nodes (AGNODE) or edges (AGEDGE) that do not say otherwise. Before the first of them.
    void set_default(int kind, const char* attribute, const char* text);
    /// Of a graph, node or edge. The text is shown as it is: no escape of graphviz's is in it.
    void set(void* object, const char* attribute, std::string_view text);
    /// A label in graphviz's HTML.
    void set_markup(void* object, const char* attribute, const std::string& html);

    /// Laid out by dot, as SVG. Errors: io.
    Result<std::string> to_svg();

private:
    Agraph_t* graph_;
};

} // namespace quiesced
