"""Words and relations the simulated shop is made of: platforms, genres, accessories, brands and name parts."""

from __future__ import annotations

PLATFORMS: tuple[str, ...] = ("Orion 4", "Orion 5", "Vertex One", "Pocketron", "PC")
"""Platforms on sale. Orion 5 replaces Orion 4 during the simulated months."""

PLATFORM_SHARES: tuple[float, ...] = (0.34, 0.06, 0.22, 0.16, 0.22)
"""Share of customers who start on each platform."""

SUCCESSOR_PLATFORM: dict[str, str] = {"Orion 4": "Orion 5"}

GENRE_NOUNS: dict[str, tuple[str, ...]] = {
    "Racing": ("Circuit", "Rally", "Drift", "Speedway", "Apex", "Rush"),
    "Role-Playing": ("Chronicles", "Covenant", "Saga", "Oath", "Legacy", "Realms"),
    "Shooter": ("Strike", "Battalion", "Recoil", "Vanguard", "Outpost", "Siege"),
    "Strategy": ("Dominion", "Empires", "Frontier", "Tactics", "Colony", "Conquest"),
    "Sports": ("League", "Champions", "Cup", "Stadium", "Playoffs", "Derby"),
    "Adventure": ("Voyage", "Mystery", "Expedition", "Lantern", "Harbor", "Secrets"),
    "Platformer": ("Jump", "Hollow", "Garden", "Bounce", "Quest", "Tower"),
    "Simulation": ("Farm", "Tycoon", "Flight", "Builder", "Railway", "Village"),
}
"""Genres of games and the nouns their series are named with."""

FIRST_WORDS: tuple[str, ...] = (
    "Ember",
    "Frost",
    "Iron",
    "Star",
    "Shadow",
    "Velvet",
    "Neon",
    "Crimson",
    "Silent",
    "Turbo",
    "Wild",
    "Golden",
    "Broken",
    "Sky",
    "Thunder",
    "Paper",
)

SUBTITLES: tuple[str, ...] = (
    "The Last Orchard",
    "Rise of the North",
    "Salt & Cinders",
    "Midnight Run",
    "Children of the Reef",
    "A New Season",
    "Echoes",
    "Hearts & Hammers",
    "Beyond the Wall",
    "Second Dawn",
)

NUMERALS: tuple[str, ...] = ("", " II", " III", " IV", " V", " VI")

EDITIONS: tuple[str, ...] = (" [Deluxe Edition]", " (Collector's Edition)", " - Game of the Year")

ACCESSORIES: dict[str, tuple[str, ...]] = {
    "Controller": ("Wireless Controller", "Pro Controller", "Wired Gamepad"),
    "Charging Station": ("Dual Charging Dock", "Charging Station"),
    "Thumb Grips": ("Thumb Grips 8-Pack", "Precision Thumb Grips"),
    "Headset": ("Stereo Headset", "Surround Headset 7.1"),
    "Headset Stand": ("Headset Stand", "Headset Stand & Hub"),
    "Racing Wheel": ("Racing Wheel & Pedals", "Compact Racing Wheel"),
    "Storage": ("External Drive 1 TB", "Memory Card 256 GB"),
    "Carrying Case": ("Carrying Case", "Travel Sleeve"),
    "Keyboard": ("Mechanical Keyboard", "Compact Keyboard"),
    "Mouse": ("Gaming Mouse 12,000 DPI", "Ultralight Mouse"),
}
"""Kinds of accessories and the product names each comes under."""

COMPLEMENTS: dict[str, str] = {
    "Controller": "Charging Station",
    "Charging Station": "Thumb Grips",
    "Headset": "Headset Stand",
    "Storage": "Carrying Case",
    "Keyboard": "Mouse",
    "Mouse": "Headset",
    "Racing": "Racing Wheel",
    "Racing Wheel": "Controller",
    "Shooter": "Headset",
    "Role-Playing": "Storage",
    "Sports": "Controller",
    "Strategy": "Keyboard",
}
"""What customers tend to buy after a product of a genre or kind."""

PUBLISHERS: tuple[str, ...] = ("Bluepine", "Northlight", "Kitewing", "Marble Arcade", "Oxbow Games", "Tinwhistle")

BRANDS: tuple[str, ...] = ("Gearlon", "Hexaplay", "Nimbus", "Raptek", "Volt & Co")

COLORS: tuple[str, ...] = ("Black", "White", "Red", "Midnight Blue", "Lime")

TOPICS: tuple[str, ...] = (*GENRE_NOUNS, *ACCESSORIES)
"""Everything a customer can have a taste for: genres of games, then kinds of accessories."""
