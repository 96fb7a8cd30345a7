// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <expat.h>
#include <pugixml.hpp>

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace quiesced {

/// A drawing as a reader sees it. Fails the test for what is no XML: pugixml itself takes much that is none.
inline pugi::xml_document parse_svg(const std::string& svg) {
    const std::unique_ptr<XML_ParserStruct, decltype(&::XML_ParserFree)> parser(::XML_ParserCreate(nullptr), &::XML_ParserFree);
    EXPECT_EQ(::XML_Parse(parser.get(), svg.data(), static_cast<int>(svg.size()), 1), XML_STATUS_OK)
        << ::XML_ErrorString(::XML_GetErrorCode(parser.get())) << " in line " << ::XML_GetCurrentLineNumber(parser.get());
    pugi::xml_document document;
    EXPECT_TRUE(document.load_buffer(svg.data(), svg.size(), pugi::parse_default | pugi::parse_ws_pcdata));
    EXPECT_STREQ(document.document_element().name(), "svg");
    return document;
}

/// All that is to be read in it.
inline std::vector<std::string> words_of(const pugi::xml_document& document, const char* element = "text") {
    std::vector<std::string> words;
    for (const auto& found : document.select_nodes((std::string("//") + element).c_str())) words.emplace_back(found.node().text().get());
    return words;
}

inline double number(const pugi::xml_node& node, const char* attribute) { return node.attribute(attribute).as_double(-1); }

} // namespace quiesced
