// SPDX-License-Identifier: LGPL-2.1-or-later
#include "draw/plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/join.h"
#include "draw/graph.h"
#include "draw/svg.h"
#include "view/text.h"

namespace quiesced {
namespace {

constexpr const char* kFont = "Helvetica";
constexpr std::size_t kLongestLine = 52;

/// With room for a viewer whose font is wider than the one that graphviz measured with.
std::string line(const std::string& text) {
    const auto shown = fit_text(text, kLongestLine);
    std::string marked = markup(shown);
    for (std::size_t i = 0; i < 1 + text_width(shown) / 14; ++i) marked += "&#160;";
    return marked;
}

std::string small(const std::string& text, const char* colour = Palette::faint) {
    return "<TR><TD ALIGN=\"LEFT\"><FONT POINT-SIZE=\"10\" COLOR=\"" + std::string(colour) + "\">" + line(text) + "</FONT></TD></TR>";
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        if (end > at) lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

/// What the plan says of a volume.
struct Role {
    std::size_t level = 0; ///< from 1; 0: not frozen
    std::vector<std::string> facts;
    std::string error;
};

std::string what_is(const std::string& kind) {
    static const std::map<std::string, std::string> names{{"lvm", "logical volume"}, {"crypt", "dm-crypt"}, {"md", "MD RAID"}, {"loop", "loop device"}};
    const auto found = names.find(kind);
    return found == names.end() ? kind : found->second;
}

class PlanDrawing {
public:
    explicit PlanDrawing(const Json& plan) : plan_(plan) {}

    Result<std::string> draw() {
        const auto shape = plan_.find("graph");
        if (shape == plan_.end() || !shape->is_object()) return fail(ErrorKind::io, "the plan has no graph", "Is the daemon as new as quiesced-draw?");
        read_roles();
        settings();
        for_each_object(*shape, "nodes", [&](const Json& node) { add_node(node); });
        const auto edges = shape->find("edges");
        if (edges != shape->end() && edges->is_array())
            for (const auto& edge : *edges) add_edge(texts_of(edge));
        head();
        return graph_.to_svg();
    }

private:
    void read_roles() {
        for_each_object(plan_, "members", [&](const Json& member) {
            auto& role = roles_[text_of(member, "name")];
            role.error = text_of(member, "error");
            if (const auto provider = text_of(member, "provider"); !provider.empty()) role.facts.push_back("snapshot by " + provider);
            if (const auto rate = number_of(member, "write_rate")) role.facts.push_back("writes " + Bytes{static_cast<std::uint64_t>(*rate)}.text() + "/s");
        });
        for_each_object(plan_, "carried", [&](const Json& volume) { roles_[text_of(volume, "name")].facts.push_back("frozen along with " + text_of(volume, "inside")); });
        const auto levels = plan_.find("levels");
        if (levels == plan_.end() || !levels->is_array()) return;
        for (const auto& names : *levels) {
            ++levels_;
            for (const auto& name : texts_of(names)) roles_[name].level = levels_;
        }
    }

    void settings() {
        using Values = std::initializer_list<std::pair<const char*, const char*>>;
        for (const auto& [name, value] : Values{{"rankdir", "LR"}, {"fontname", kFont}, {"ranksep", "0.5"}, {"nodesep", "0.14"}, {"bgcolor", "white"},
                                                {"labelloc", "t"}, {"labeljust", "l"}, {"pad", "0.3"}})
            graph_.set(graph_.root(), name, value);
        for (const auto& [name, value] : Values{{"shape", "box"}, {"style", "rounded,filled"}, {"fontname", kFont}, {"fontsize", "12"}, {"margin", "0.08,0.05"},
                                                {"height", "0.3"}, {"penwidth", "1"}, {"fontcolor", Palette::ink}})
            graph_.set_default(AGNODE, name, value);
        for (const auto& [name, value] : Values{{"color", "#8a95a3"}, {"arrowsize", "0.6"}}) graph_.set_default(AGEDGE, name, value);
    }

    const Role* role_of(const std::string& label, const std::string& kind) const {
        if (kind != "volume") return nullptr;
        for (const auto& [name, role] : roles_)
            if (label == name || (label.starts_with(name) && label[name.size()] == '\n')) return &role;
        return nullptr;
    }

    void add_node(const Json& json) {
        const auto id = text_of(json, "id");
        const auto label = text_of(json, "label");
        const auto kind = text_of(json, "kind");
        const auto placement = text_of(json, "placement");
        auto* node = graph_.node(id);
        nodes_[id] = node;
        const auto swatch = placement_swatch(placement);
        if (std::find(placements_.begin(), placements_.end(), placement) == placements_.end()) placements_.push_back(placement);
        graph_.set(node, "fillcolor", swatch.fill);
        graph_.set(node, "color", swatch.line);
        graph_.set(node, "id", kind + "-" + std::to_string(nodes_.size()));
        graph_.set(node, "tooltip", kind + ": " + joined(lines_of(label)) + (placement.empty() ? "" : ", placement " + placement));

        const auto lines = lines_of(label);
        std::string rows = "<TR><TD ALIGN=\"LEFT\"><B>" + line(lines.empty() ? id : lines.front()) + "</B></TD></TR>";
        std::string facts = kind == "volume" ? "" : what_is(kind);
        if (lines.size() > 1) facts += (facts.empty() ? "" : ", ") + lines[1];
        if (!facts.empty()) rows += small(facts);
        for (std::size_t i = 2; i < lines.size(); ++i) rows += small(lines[i]);
        if (const auto* role = role_of(label, kind)) add_role(node, *role, rows);
        else if (kind == "volume") graph_.set(node, "style", "rounded,filled,dashed");
        if (kind == "disk") {
            graph_.set(node, "style", "filled");
            disks_.push_back(node);
        }
        graph_.set_markup(node, "label", "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"1\">" + rows + "</TABLE>");
    }

    void add_role(Agnode_t* node, const Role& role, std::string& rows) {
        if (!role.facts.empty()) rows += small(joined(role.facts), Palette::ink);
        graph_.set(node, "penwidth", "2");
        if (!role.error.empty()) {
            rows += small("refused: " + role.error, Palette::failure);
            graph_.set(node, "color", Palette::failure);
        }
        if (role.level == 0) return;
        auto* frame = graph_.subgraph(graph_.root(), "cluster_level_" + std::to_string(role.level));
        graph_.set(frame, "id", "level-" + std::to_string(role.level));
        graph_.set(frame, "label", levels_ == 1 ? "Frozen all at once" : "Level " + std::to_string(role.level) + (role.level == 1 ? ": frozen first" : ""));
        graph_.set(frame, "labelloc", "t");
        graph_.set(frame, "style", "rounded,filled");
        graph_.set(frame, "color", "#c9d2dc");
        graph_.set(frame, "fillcolor", Palette::band);
        graph_.set(frame, "fontcolor", Palette::ink);
        graph_.set(frame, "margin", "10");
        graph_.put(node, frame);
    }

    void add_edge(const std::vector<std::string>& ends) {
        if (ends.size() != 2) return;
        const auto from = nodes_.find(ends[0]);
        const auto to = nodes_.find(ends[1]);
        if (from != nodes_.end() && to != nodes_.end()) graph_.edge(from->second, to->second);
    }

    /// The title and the legend; and the disks below one another.
    void head() {
        auto* bottom = graph_.subgraph(graph_.root(), "disks");
        graph_.set(bottom, "rank", "max");
        for (auto* disk : disks_) graph_.put(disk, bottom);

        std::size_t members = 0;
        for_each_object(plan_, "members", [&](const Json&) { ++members; });
        const bool feasible = flag_of(plan_, "feasible");
        const auto title = "Plan of a snapshot set: " + std::to_string(members) + (members == 1 ? " volume" : " volumes");
        const auto verdict = std::string(feasible ? "It can be taken" : "It cannot be taken as it is: quiescectl plan says why") +
                             (text_of(plan_, "kernel").empty() ? "" : "; kernel " + text_of(plan_, "kernel"));
        std::string legend;
        std::sort(placements_.begin(), placements_.end());
        for (const auto& placement : placements_) {
            const auto swatch = placement_swatch(placement);
            legend += "<TD FIXEDSIZE=\"TRUE\" WIDTH=\"18\" HEIGHT=\"12\" BORDER=\"1\" COLOR=\"" + std::string(swatch.line) + "\" BGCOLOR=\"" + swatch.fill + "\"></TD><TD ALIGN=\"LEFT\">" +
                      markup(placement.empty() || placement == "none" ? "no disk known" : placement) + "</TD>";
        }
        // A row of its own for each part, so that they do not share columns.
        const auto table = [](const std::string& cells) {
            return "<TR><TD ALIGN=\"LEFT\"><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"4\"><TR>" + cells + "</TR></TABLE></TD></TR>";
        };
        graph_.set(graph_.root(), "tooltip", title);
        graph_.set_markup(graph_.root(), "label",
                          "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\"><TR><TD ALIGN=\"LEFT\"><FONT POINT-SIZE=\"20\"><B>" + markup(title) +
                              "</B></FONT></TD></TR><TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"" + (feasible ? Palette::faint : Palette::failure) + "\">" + markup(verdict) +
                              "</FONT></TD></TR>" +
                              (legend.empty() ? "" : table("<TD ALIGN=\"LEFT\"><FONT COLOR=\"" + std::string(Palette::faint) + "\">placement</FONT></TD>" + legend)) + "</TABLE>");
    }

    const Json& plan_;
    Graph graph_;
    std::map<std::string, Role> roles_; ///< by the name of the volume
    std::size_t levels_ = 0;
    std::map<std::string, Agnode_t*> nodes_;
    std::vector<Agnode_t*> disks_;
    std::vector<std::string> placements_;
};

} // namespace

Result<std::string> draw_plan(const Json& plan) { return PlanDrawing(plan).draw(); }

} // namespace quiesced
