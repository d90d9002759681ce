"""Names of artists that look like the names of several: from the lists that players of music files keep.

Media servers and players such as Jellyfin, Emby and Swing Music ship lists like it, since AC/DC was taken for
two. It is short on purpose: what else is known, a service says (``--known-artists``).
"""

from __future__ import annotations

__all__ = ["BAND_NAMES"]

BAND_NAMES = """
Above & Beyond
AC/DC
Aly & AJ
Angus & Julia Stone
Ashford & Simpson
Belle and Sebastian
Big & Rich
Bill Haley & His Comets
Blood, Sweat & Tears
Bob Marley & The Wailers
Booker T. & the M.G.'s
Brooks & Dunn
C + C Music Factory
Captain & Tennille
Chad & Jeremy
Chase & Status
Coheed and Cambria
Crosby, Stills & Nash
Crosby, Stills, Nash & Young
Derek and the Dominos
Dimitri Vegas & Like Mike
Dion and the Belmonts
Dr. Hook & The Medicine Show
Earth, Wind & Fire
Echo & the Bunnymen
Emerson, Lake & Palmer
England Dan & John Ford Coley
Eric B. & Rakim
Florence + the Machine
Gerry and the Pacemakers
Gladys Knight & the Pips
Grandmaster Flash and the Furious Five
Hall & Oates
Daryl Hall & John Oates
Hootie & the Blowfish
Huey Lewis and the News
Ike & Tina Turner
Iron & Wine
Jan & Dean
Joan Jett and the Blackhearts
John Mayall & The Bluesbreakers
Kate & Anna McGarrigle
KC and the Sunshine Band
Katrina and the Waves
Kool & The Gang
Kruder & Dorfmeister
Loggins & Messina
Love and Rockets
Marina and the Diamonds
Martha Reeves and the Vandellas
Mike + The Mechanics
Mumford & Sons
Me First and the Gimme Gimmes
Nick Cave & The Bad Seeds
Of Monsters and Men
Peaches & Herb
Penny and Sparrow
Peter and Gordon
Peter, Bjorn and John
Peter, Paul and Mary
Prince & The Revolution
Sam & Dave
Seals & Crofts
She & Him
Simon & Garfunkel
Siouxsie and the Banshees
Sly & The Family Stone
Sly & Robbie
Smokey Robinson & The Miracles
Sonny & Cher
Tegan and Sara
The Good, the Bad & the Queen
The Mamas & the Papas
Tom Petty and the Heartbreakers
Tommy James & the Shondells
Tones and I
Tyler, The Creator
Years & Years
Zager & Evans
""".strip().splitlines()
"""``&``, ``+`` and ``and`` are one in them."""
