"""Domains at which anybody has a mailbox: mail that says it comes from there, and does not, is turned away (DMARC)."""

DOMAINS = frozenset(
    """
    gmail.com googlemail.com
    outlook.com outlook.de outlook.fr outlook.es outlook.at hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.es
    hotmail.it live.com live.de live.fr live.co.uk live.nl msn.com
    yahoo.com yahoo.co.uk yahoo.de yahoo.es yahoo.fr yahoo.it yahoo.co.jp yahoo.co.in yahoo.com.br ymail.com
    rocketmail.com aol.com aim.com
    icloud.com me.com mac.com
    gmx.net gmx.de gmx.at gmx.ch gmx.com web.de t-online.de freenet.de arcor.de
    proton.me protonmail.com pm.me tutanota.com tuta.io tuta.com posteo.de mailbox.org fastmail.com hey.com zoho.com
    mail.com email.com mail.ru inbox.ru list.ru bk.ru yandex.ru yandex.com ya.ru rambler.ru ukr.net
    qq.com foxmail.com 163.com 126.com yeah.net sina.com sohu.com naver.com daum.net hanmail.net
    orange.fr wanadoo.fr free.fr sfr.fr laposte.net libero.it virgilio.it tiscali.it alice.it tin.it
    terra.com.br uol.com.br bol.com.br wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz azet.sk abv.bg
    comcast.net verizon.net att.net sbcglobal.net cox.net bellsouth.net btinternet.com sky.com ntlworld.com
    bigpond.com optusnet.com.au rediffmail.com shaw.ca sympatico.ca rogers.com ziggo.nl kpnmail.nl planet.nl
    bluewin.ch hispeed.ch aon.at chello.at
    """.split()  # noqa: SIM905 (a list of a hundred and fifty words reads best as words)
)
