"""The sequences of DAVIS-2017 by list, by which the data set is told from other videos in its layout.

Source: ``ImageSets/2017/*.txt`` of DAVIS-2017-trainval. The test lists come without annotations of their own,
so that nothing here measures on them.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

_VAL = """
bike-packing blackswan bmx-trees breakdance camel car-roundabout car-shadow cows dance-twirl dog dogs-jump
drift-chicane drift-straight goat gold-fish horsejump-high india judo kite-surf lab-coat libby loading
mbike-trick motocross-jump paragliding-launch parkour pigs scooter-black shooting soapbox
"""
_TRAIN = """
bear bmx-bumps boat boxing-fisheye breakdance-flare bus car-turn cat-girl classic-car color-run crossing
dance-jump dancing disc-jockey dog-agility dog-gooses dogs-scale drift-turn drone elephant flamingo hike
hockey horsejump-low kid-football kite-walk koala lady-running
lindy-hop longboard lucia mallard-fly mallard-water
miami-surf motocross-bumps motorbike night-race paragliding planes-water rallye rhino rollerblade schoolgirls
scooter-board scooter-gray sheep skate-park snowboard soccerball stroller stunt surf swing tennis tractor-sand
train tuk-tuk upside-down varanus-cage walking
"""

DAVIS_SEQUENCES: Mapping[str, frozenset[str]] = MappingProxyType(
    {"train": frozenset(_TRAIN.split()), "val": frozenset(_VAL.split())}
)
"""Names of the sequences by list: 60 and 30."""


def is_davis(names: Collection[str], split: str) -> bool:
    """Whether these are sequences of DAVIS-2017 (all of the list or some), not other videos in its layout.

    Args:
        names: Names of sequences.
        split: The list that they are said to be of.
    """
    return bool(names) and set(names) <= DAVIS_SEQUENCES.get(split, frozenset())
