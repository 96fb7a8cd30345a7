// SPDX-License-Identifier: LGPL-2.1-or-later
#include "draw/svg.h"

#include <array>
#include <cstdio>
#include <sstream>

#include "view/text.h"

namespace quiesced {

Swatch placement_swatch(std::string_view placement) {
    if (placement == "virtual") return {"#d3ecdf", "#2a9d6f"};
    if (placement == "lun") return {"#d2e6fa", "#2874c7"};
    if (placement == "mixed") return {"#e8dcf6", "#7a4fb8"};
    if (placement == "network") return {"#fde8c8", "#d98a1c"};
    return {"#eceff2", "#8a95a3"};
}

std::string coordinate(double value) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%.2f", value);
    std::string shown(text.data());
    shown.erase(shown.find_last_not_of('0') + 1);
    if (shown.ends_with('.')) shown.pop_back();
    return shown == "-0" ? "0" : shown;
}

SvgDocument::SvgDocument(double width, double height, std::string_view title, std::string_view description) {
    auto declaration = document_.append_child(pugi::node_declaration);
    declaration.append_attribute("version") = "1.0";
    declaration.append_attribute("encoding") = "UTF-8";
    svg_ = document_.append_child("svg");
    svg_.append_attribute("xmlns") = "http://www.w3.org/2000/svg";
    svg_.append_attribute("width") = coordinate(width).c_str();
    svg_.append_attribute("height") = coordinate(height).c_str();
    svg_.append_attribute("viewBox") = ("0 0 " + coordinate(width) + " " + coordinate(height)).c_str();
    svg_.append_attribute("role") = "img";
    svg_.append_child("title").text().set(printable(title).c_str());
    svg_.append_child("desc").text().set(printable(description).c_str());
    rectangle(svg_, 0, 0, width, height, "#ffffff");
}

pugi::xml_node SvgDocument::group(pugi::xml_node parent, std::string_view id) {
    auto group = parent.append_child("g");
    if (!id.empty()) group.append_attribute("id") = printable(id).c_str();
    return group;
}

pugi::xml_node SvgDocument::rectangle(pugi::xml_node parent, double x, double y, double width, double height, const char* fill, std::string_view tip) {
    auto shape = parent.append_child("rect");
    shape.append_attribute("x") = coordinate(x).c_str();
    shape.append_attribute("y") = coordinate(y).c_str();
    shape.append_attribute("width") = coordinate(width).c_str();
    shape.append_attribute("height") = coordinate(height).c_str();
    shape.append_attribute("fill") = fill;
    if (!tip.empty()) shape.append_child("title").text().set(printable(tip).c_str());
    return shape;
}

pugi::xml_node SvgDocument::line(pugi::xml_node parent, double x1, double y1, double x2, double y2, const char* colour) {
    auto shape = parent.append_child("line");
    shape.append_attribute("x1") = coordinate(x1).c_str();
    shape.append_attribute("y1") = coordinate(y1).c_str();
    shape.append_attribute("x2") = coordinate(x2).c_str();
    shape.append_attribute("y2") = coordinate(y2).c_str();
    shape.append_attribute("stroke") = colour;
    return shape;
}

pugi::xml_node SvgDocument::text(pugi::xml_node parent, double x, double y, std::string_view words, const char* anchor) {
    auto shape = parent.append_child("text");
    shape.append_attribute("x") = coordinate(x).c_str();
    shape.append_attribute("y") = coordinate(y).c_str();
    if (std::string_view(anchor) != "start") shape.append_attribute("text-anchor") = anchor;
    shape.text().set(printable(words).c_str());
    return shape;
}

std::string SvgDocument::to_string() const {
    std::ostringstream text;
    document_.save(text, " ", pugi::format_indent, pugi::encoding_utf8);
    return text.str();
}

} // namespace quiesced
