// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <string_view>

#include <pugixml.hpp>

namespace quiesced {

/// The colours of every drawing: readable on white, and told apart by those who see no red or no green.
struct Palette {
    static constexpr const char* ink = "#1f2933";
    static constexpr const char* faint = "#6b7785";
    static constexpr const char* grid = "#e3e8ee";
    static constexpr const char* band = "#f6f8fa";
    static constexpr const char* window = "#fdf0d5";
    static constexpr const char* failure = "#c1121f";
};

/// A colour with a word in the legend.
struct Swatch {
    const char* fill;
    const char* line;
};

/// Of a placement by its name; grey for one that is not known.
Swatch placement_swatch(std::string_view placement);

/// A document under construction. Coordinates are pixels from the left upper corner. Texts may be any: what XML or people
/// cannot read is escaped. Not thread-safe.
class SvgDocument {
public:
    SvgDocument(double width, double height, std::string_view title, std::string_view description);

    [[nodiscard]] pugi::xml_node root() { return svg_; }
    /// A group, with an id for those who work on with the drawing.
    pugi::xml_node group(pugi::xml_node parent, std::string_view id);
    /// `tip` is what a browser shows when the pointer rests on it; "" for none.
    pugi::xml_node rectangle(pugi::xml_node parent, double x, double y, double width, double height, const char* fill, std::string_view tip = "");
    pugi::xml_node line(pugi::xml_node parent, double x1, double y1, double x2, double y2, const char* colour);
    /// `anchor`: "start", "middle", "end".
    pugi::xml_node text(pugi::xml_node parent, double x, double y, std::string_view words, const char* anchor = "start");

    [[nodiscard]] std::string to_string() const;

private:
    pugi::xml_document document_;
    pugi::xml_node svg_;
};

/// "12.3", with no more digits than a drawing needs.
std::string coordinate(double value);

} // namespace quiesced
