"""What customers of an invented shop for household devices write: the language material of the demonstration, and nothing else.

In a template ``[a|b]`` is one of several wordings and ``<name>`` a slot that ``compose.py`` fills. The shop, its products and
its customers do not exist. Which queue a ticket belongs to is decided by what its writer wants, not by a word: delivery words stand
in billing tickets, billing words in returns, and so on.
"""

from __future__ import annotations

from typing import NamedTuple


class Queue(NamedTuple):
    """The material of one queue."""

    weight: float
    """How many tickets it gets, beside the others."""
    problems: tuple[str, ...]
    """What is wrong or wanted. The first one in a ticket decides its queue."""
    details: tuple[str, ...]
    """A second sentence on the same matter."""
    asks: tuple[str, ...]
    """What the writer hopes for."""
    asides: tuple[str, ...]
    """How a ticket of another queue mentions this one in passing: it uses its words and asks for nothing."""
    subjects: tuple[str, ...]
    misspelt: str
    """How a hurried clerk types the queue's name."""


BILLING = Queue(
    weight=3.6,
    problems=(
        "I was [charged|billed] [twice|two times] for [order <order>|the <thing>], once on <date> and again [two days|a week] later.",
        "My [bank statement|credit card statement|banking app] shows [two payments|a second payment] of <amount> to Wendlow and I only "
        "[placed|made] one order.",
        "The [invoice|bill] for [order <order>|<month>] says <amount2>, [but|although] the [website|shop page|confirmation] said <amount>.",
        "You took <amount> from my [account|card] [on <date>|last week] and I have no idea what [it is for|for].",
        "The [discount code|voucher] <voucher> was accepted at checkout but [was not taken off|never came off] the total.",
        "I chose [free|standard] delivery and still [find|see] <fee> for express shipping on the [bill|invoice].",
        "[Can|Could] you send me [a VAT invoice|a proper invoice|an invoice with our company name] for order <order>? The slip "
        "in the parcel "
        "only [shows|lists] the total.",
        "My card was [declined|refused] [at checkout|three times], yet <amount> is [reserved|blocked] [on my statement|at my bank].",
        "The price of <plan> went from <amount> to <amount2> and [nobody told me|I was never told], I only [saw|noticed] it on "
        "my statement.",
        "I get [reminders|a reminder] [for an open balance|that I owe you <amount>], although I [paid by transfer|settled "
        "everything] on <date>.",
        "Your [letter|mail] threatens a late fee for [a <thing>|something] that I [returned|sent back] and settled weeks ago.",
        "I sent back the <thing> in <month>, you confirmed it, and [yet|still] the [monthly|] instalment of <amount> is [being "
        "taken|collected].",
        "<plan> was paused from <month>, so why did you [debit|take] <amount> [on <date>|this week]?",
        "The [delivery|parcel] [came|arrived] [complete|without problems|on time], only the total includes [a second <thing>|an item] "
        "[I never ordered|that was out of stock].",
        "Please [correct|change] the address on the [invoice|receipt] for the <thing>, my [accountant|tax office] will not take "
        "it [otherwise|like this].",
        "Is it possible to pay [order <order>|for the <thing>] in instalments [now that it is placed|even after checkout]?",
        "How [can|do] I [switch|move] what I pay for <plan> from [credit card|PayPal] to direct debit?",
        "The [gift card|store credit] of <amount> that I used on <date> [has not been counted|was ignored], you [took|charged] "
        "the full price.",
        "I [cancelled|ended] <plan> in <month> and have your confirmation, and [today|yesterday] another <amount> left my [bank|] account.",
        "The instalments [do not add up|are wrong]: <number> times <amount> is [far|] more than the <thing> [costs|cost].",
        "What came back after my return is [smaller|less] than what I paid, <fee> [is missing|was held back] [without|with no] "
        "explanation.",
        "[Why|How come] I pay [VAT|tax] twice on order <order>, once on the <thing> and once on the shipping?",
        "The sum on the [parcel slip|packing list] and the sum on my [card|statement] are not the same, the difference is <fee>.",
        "I was promised <fee> back for the late parcel and it is not on [this month's|the <month>] statement.",
        "[My company needs|I need] [receipts|statements] for everything [bought|ordered] since <month> and the download in my "
        "profile is a blank page.",
        "You have [put|booked] order <order> on [my old card|the wrong card], [it should go|I want it] on the one ending in [41|07|88|52].",
        "The sale price [was|shown was] <amount>, at the [end|last step] it jumped to <amount2> and I [only saw it|noticed] "
        "after I had pressed the button.",
        "My [free|trial] month of <plan> is not over [and|but] <amount> has already [gone|been collected].",
        'I would like to know what [the position|the line] "service <fee>" [means|is], [it was not there|there was none] in <month>.',
    ),
    details=(
        "My bank says that [it comes from you|they cannot stop it].",
        "[The difference|Every pound] matters to me.",
        "I can send a [screenshot|picture] of the [statement|app].",
        "I have [checked|gone through] [every mail|all the paperwork] since <month>.",
        "It is the [second|third] month in a row.",
        "I paid with [the card I always use|PayPal|a gift card|my husband's card].",
        "The sum is not big, but it [is not right|adds up].",
    ),
    asks=(
        "Please [correct this|put this right] [before the end of the month|].",
        "Please [send|give] me [the amount|the difference] back.",
        "[Could|Can] someone [look at|explain] the [numbers|sum]?",
        "I [want|would like] a corrected [copy|document].",
    ),
    asides=(
        "The payment went through [without a problem|at once].",
        "I have paid <amount> for it, by card, [on <date>|straight away].",
        "The invoice is fine, [by the way|that is not the point].",
        "It was not cheap either, <amount> [all in|with the voucher].",
        "This is not about the [price|money], [that was charged correctly|I paid what was agreed].",
        "[You|Your colleagues] already [sorted out|corrected] the double charge [in <month>|last time], thank you for that.",
        "My bank has confirmed that the money [reached|went to] you.",
    ),
    subjects=("Invoice <order>", "Wrong amount", "Payment", "Your invoice", "Charged?", "My statement"),
    misspelt="biling",
)

DELIVERY = Queue(
    weight=5.0,
    problems=(
        "[Order <order>|My <thing>|The <product>] [was due|should have come] on <date> and [nothing has arrived|there is no sign of it].",
        'The tracking [page|link|number <tracking>] [has said|keeps saying] "[in transit|label created|at the depot]" for <number> days.',
        "The courier [claims|says] that it was handed over [on <weekday>|at <time>], but [nobody here received anything|I was at "
        "home and got nothing].",
        "Half of order <order> is [missing|not there]: the box held the <part> but no <thing>.",
        "I paid <fee> extra for next-day [shipping|service] and <number> days later I am still [waiting|without a <thing>].",
        "[Can|Could] you [send|redirect] the [parcel|box] to [my office|a neighbour|my sister in <town>]? I am [away|not at "
        "home] [on <weekday>|until <date2>].",
        "The driver left it [in the rain|behind the bins|with a stranger at number <number>] and [now it is gone|by the evening "
        "it was gone].",
        "The money for [order <order>|the <thing>] [was taken|left my account] on <date>, the goods [never left your "
        "warehouse|have not come].",
        "One of the two <thing>s was lost on the way and [refunded|written off], where is the other one?",
        "The [replacement|exchange] that [support|your colleague] promised on <date> has not [reached me|turned up].",
        "Your [account|order] page [shows|lists] <order> as complete, my doormat is [empty|still empty].",
        "No slot [fits|suits me]: do you bring [large|heavy] [boxes|things] to <town> [on Saturdays|in the evening|before eight]?",
        "Somebody else's <product2> came to my [house|flat], my own [order|box] must be [with them|somewhere else].",
        "The [collection point|parcel shop|locker] in <town> [says they have|has] nothing under my name, though your mail told "
        "me to fetch it.",
        "I typed the wrong [house number|postcode] for [order <order>|the <thing>], can it be [changed|corrected] before it goes out?",
        "The box [arrived|came] [crushed|open|torn on one side] and the <part> [is not inside|must have fallen out].",
        "The <month> box of <plan> did not come, [although|even though] [it was billed|I paid|the one before was on time].",
        "You split [my order|order <order>] in two, the first half [came|arrived] on <weekday>, when is the rest due?",
        "[Every|Each] morning since <date> I get a text that the <thing> comes [today|before noon], and every evening it is put off.",
        "The invoice says shipped on <date>, [yet|still] [nothing|no box] [has come to|is at] my door.",
        "I need a firm day for the <thing>, because I have to take [a day|the morning] off work.",
        "The [two men|carriers] would not [take|bring] the <product> up to the [third|second] floor and took it away again.",
        "Your site promised two to three days, [we are now at day|this is day] <number>.",
        "Is [order <order>|my <thing>] on its way [yet|at all]? [The status has not moved since <date>|I only have the payment mail].",
        "I [returned|sent back] the first one, got the new number <tracking>, and this one [is stuck|has been sitting] in <town> "
        "[since <weekday>|for days].",
        'Nobody rang, no card was left, and [now|] the [app|page] says ["refused by customer"|"return to sender"] for the '
        "<thing> I am waiting for.",
        "I ordered [before|a week before] my [mother's|neighbour's] and hers is [here|already running], mine [is not|has not "
        "even been packed].",
        "Where [on earth is|is] my <thing>?",
        "The refill pods [came|are here], the <thing> they belong to [did not|is nowhere].",
    ),
    details=(
        "I have [stayed|been] at home [all day|since <weekday>].",
        "None of the neighbours [has it|knows anything].",
        "The [courier's|] hotline only [plays music|repeats what the page says].",
        "The number is <tracking>.",
        "It was [meant|needed] for a birthday on <date2>.",
        "The address is [right|correct], I have [checked|looked] twice.",
        "The last update is from <date>.",
    ),
    asks=(
        "When [will|can] I [have it|expect it]?",
        "Please find out where it is.",
        "Please send [it|one] again.",
        "[Can|Could] you ring the [depot|driver]?",
    ),
    asides=(
        "The delivery was [quick|on time|fine], [by the way|no complaint there].",
        "It came on <date>, [well packed|with the usual courier].",
        "The parcel arrived [two days early|as promised], [that is not the point|so that part was good].",
        "The driver even carried the box [upstairs|in], [thank you|that was kind].",
        "[First|At first] it was held up at the depot for <number> days, but that is [settled|over].",
        "The tracking said delivered on <weekday> and so it was.",
        "I know that the late parcel in <month> was not your fault.",
    ),
    subjects=("Order <order>", "Where is it?", "My parcel", "Not here yet", "Shipping", "Tracking <tracking>"),
    misspelt="delivry",
)

RETURNS = Queue(
    weight=3.2,
    problems=(
        "I [would like|want] to [return|send back] the <product> [I bought on <date>|from order <order>], [how do I get a "
        "label|what are the steps]?",
        "The <thing> is [too loud|too big|too heavy|not what I expected] [for our kitchen|for the flat|], so it [should|will "
        "have to] go back.",
        "My [box|parcel] [reached|got to] your warehouse on <date> (<tracking>) and the money [is not back|has not been paid back].",
        "You sent me a <colour> <thing> instead of a <colour2> one, [please swap it|I need an exchange].",
        "The [label|QR code] for sending it back [will not print|has expired|is for the wrong country].",
        "When does the [30-day period|trial period|time to think it over] end [for order <order>|if it came on <date>]?",
        "The courier who should [collect|pick up] the [old|faulty] <thing> has not come [on <weekday>|for the second time].",
        "[Can|May] I [bring|hand] back a <product> that was a gift? I have no [receipt|invoice].",
        "The <thing> [stopped working|gave up] after <number> days and rather than have it repaired I want [my money back|a new one].",
        "The refund for [order <order>|the <thing>] was promised within <number> days, [weeks|a month] later my card [shows|has] nothing.",
        "I ordered two by mistake, one is [still sealed|in its box] and can go back.",
        "I [opened|unpacked] the <thing> only to look at it, is it still possible to [hand it in|give it back]?",
        "Who pays the [postage|shipping] if I do not [keep|want] the <thing>?",
        "I [changed my mind|had second thoughts] about the <product>, it has not been [used|switched on].",
        "You [rejected|turned down] my [parcel|return] because the <part> was [missing|not there], I [did put|am sure I put] it in.",
        "Do you need the [original box|packaging] if the <thing> goes back? [Mine|Ours] went to the recycling.",
        "I refused the [parcel|box] at the door since I [no longer need|do not need] the <thing>, when do I see the <amount> again?",
        "I got [store credit|a voucher] for the <thing> I sent you and would [rather|much rather] have the money.",
        "The [exchange unit|new one] is the same wrong size [as the first|again], now I would like to give [both|it] back.",
        "The <part> was [broken|cracked] when I [opened|unpacked] the box and I want the [whole set|<thing>] replaced.",
        "Your app told me that the <thing> would fit [our tap|our hob|the wall], [it does not|that was wrong], what now? It is "
        "[back in|still in] its box.",
        "Is there a shop in <town> where I can [drop off|leave] the <thing> for an exchange, I have no printer.",
        "I have [ended|left] <plan> as agreed and [still have|am left with] the rented <thing>, where does it go?",
        "[After|On] the third repair [your technician|support] said I could have a different model, I would take the <product2>.",
        "The tracking says that you [signed for|received] my <thing> on <date>, [I have not heard|nothing has happened] since.",
        "Please take the <thing> back, the app it needs does not run on my phone.",
        "I was [charged|billed] for the <thing> that I never kept, it is with you since <date>, please [close|finish] the "
        "[case|return] and pay it back.",
        "The wrong [model|colour] [was delivered|came], I had ordered the <product2>.",
        "[Two weeks|A month] is all it took for me to see that the <product> is not for us.",
    ),
    details=(
        "It is [unused|as good as new|only used once].",
        "I have kept [the box|all the parts].",
        "The return number is R<order>.",
        "I am [within|still inside] the thirty days.",
        "It has been [packed|ready] since <weekday>.",
        "The proof of posting is [attached|here].",
    ),
    asks=(
        "Please send me a label.",
        "[Where|To which address] do I send it?",
        "Please let me know when the refund [goes out|is made].",
        "I [would prefer|want] [an exchange|the money].",
    ),
    asides=(
        "I do not want to return it, [I like it|on the contrary].",
        "The refund for the first one [came quickly|has arrived], thanks.",
        "Sending the old one back was [easy|no trouble].",
        "I could return it, but I would [rather|much rather] keep it.",
        "An exchange [has been made already|was offered and I said no].",
        "My <thing> from last year went back under warranty, that was [handled well|quick].",
        "The thirty days are over, I know.",
    ),
    subjects=("Return", "Exchange of <order>", "Sending back", "Refund", "My return", "Wrong colour"),
    misspelt="retruns",
)

TECHNICAL = Queue(
    weight=4.4,
    problems=(
        "The <product> [shows|displays] [error|code] <code> [and stops|after <number> minutes|in the middle of the night].",
        "My <thing> will not [switch on|charge|start] [any more|since <weekday>][, not even after a reset|].",
        "Since the [update|new firmware] on <date> the <thing> [loses|drops] the Wi-Fi [every few minutes|every night].",
        "The app [cannot find|does not see] the <thing>, although both are on the same network.",
        "There is a [grinding|high|rattling] noise from the <part> [when it runs|after <number> minutes].",
        "[Water|A brown liquid] [leaks|drips] from below the <thing> [when it heats up|overnight].",
        "The replacement you delivered [last week|on <date>] has the same fault: [the light blinks red|it stops after a minute].",
        "Before I send it back: is there a trick to get the <thing> out of [standby|demo mode|the child lock]?",
        "The <part> gets so hot that [I cannot touch it|the plastic goes soft].",
        "I am signed in and everything looks [right|normal], only the <thing> [stays offline|is greyed out] on the list of my devices.",
        "The [schedule|timer] that I set on <weekday> is ignored, it runs at <time> instead.",
        "How do I [descale|reset|calibrate] the <product>? The steps in the [manual|booklet] do nothing.",
        "The display [is frozen|has been dark|flickers] since [the power cut|I unpacked it|<weekday>].",
        "It [came|arrived] on <date> and from the first minute it [trips the fuse|smells burnt].",
        "I paid <amount> for a <thing> that needs three tries to start, what can I [check|do]?",
        "The <part> is stuck and [will not|does not] come out.",
        "Pairing with the [voice assistant|doorbell|hub] [fails|stops] at step <number>.",
        "I am told to change the filter, [but|although] the one from <plan> went in [yesterday|on <date>].",
        "The battery [lasts|holds] <number> minutes [instead of an hour|where it used to be ninety].",
        "The [pods|refills] from the <month> box are not [recognised|accepted] by the <thing>.",
        "[The|My] <thing> [forgets|loses] its settings [every night|each time it is unplugged].",
        "It [stops|gives up] [halfway|after <number> minutes] with [a long beep|three beeps] and I have to [start again|pull the plug].",
        "After [I cancelled|the end of] <plan> the <thing> refuses to [run|start] and asks for a licence.",
        "The code from the confirmation mail is not accepted when I set up the <thing>, the lamp [just|only] keeps blinking.",
        "Does the <thing> have to [click|hum|get warm] like that [every time|when it is off]? It did not do so [in the first "
        "weeks|before <month>].",
        "The [invoice|order] says model [B|C], the label on the <thing> says [A|D], and no [update|firmware] will install.",
        "The reading [on|of] the <thing> is [<number> degrees|far] off, [I compared it with|my old one shows it right].",
        "The <thing> [begins|goes through] its programme again and again and [never|no longer] [comes to|finds] the end.",
        "Nothing happens when I press [the button|start] on the <product>.",
    ),
    details=(
        "I have [tried|done] a reset, [twice|with no luck].",
        "The firmware is [4.2.1|5.0|the newest one|3.9].",
        "It [started|began] [on <weekday>|in <month>].",
        "The lamp on the <part> is [red|orange|off].",
        "The router is [new|two metres away].",
        "It worked [perfectly|well] for <number> months.",
    ),
    asks=(
        "What else can I try?",
        "Is there a [fix|newer firmware]?",
        "How do I get it [working|running] again?",
        "[Could|Can] a technician [ring me|have a look]?",
    ),
    asides=(
        "The <thing> itself [works|runs] [perfectly|very well].",
        "There was an error <code> once, but a reset [cured|solved] that.",
        "The app works [fine|as it should], I am not asking about that.",
        "It is a bit noisy, which does not bother me.",
        "Your technician has [repaired|looked at] the <part> already.",
        "The last firmware has [fixed|cured] the Wi-Fi, thank you.",
        "I have not even [switched it on|plugged it in].",
    ),
    subjects=("Error <code>", "Problem with <thing>", "Does not work", "<thing>", "Help with my <thing>", "App"),
    misspelt="techncial",
)

ACCOUNT = Queue(
    weight=1.9,
    problems=(
        "I cannot [log in|sign in|get into my account] [any more|since <date>], [the password is refused|it says that I am unknown].",
        "The [reset|confirmation] mail [never arrives|does not come], [also not in spam|I have waited for <number> hours].",
        "Please change the [e-mail address|phone number|surname] [on|in] my [account|profile], [the old one is gone|I got married].",
        "I have two [accounts|profiles] and would like to [merge them|have one only], with all the orders in it.",
        "Please delete [my account and all my data|everything you store about me].",
        "Someone [has changed|seems to have changed] the delivery address in my [profile|account] and it was not me.",
        "The invoices [of last year|from <month>] have vanished from my profile, all I see is an empty list.",
        "The code for the two-step [sign-in|check] goes to [an old phone|a number I no longer have].",
        "I am locked out after [three|too many] attempts.",
        "I [moved|have moved] to <town> and your form does not [accept|take] the new [postcode|street].",
        "[The app|Your shop] throws me out every few minutes and I have to type [the password|everything] again.",
        "How [can|do] I add my [wife|husband|flatmate] [to my account|so that both of us see the orders]?",
        "Order <order> is not in my list because I bought the <thing> as a guest, can you link it?",
        "To stop your newsletter I am asked for a password that I never [had|set].",
        "I want my [old|expired] card off my [profile|saved cards], the [button|bin symbol] does nothing.",
        "Our [company|office] has a new name and the login [must|should] go to [my colleague|someone else].",
        "My [points|bonus stars] from <number> orders have [vanished|gone].",
        "I would like [a copy|an overview] of the data that you hold on me.",
        "When I [click|tap] on <plan> in the app it [asks me to register|says no customer found], although I have paid for [years|months].",
        "Your mails about parcels go to my [ex-husband|former employer], please [use|take] the address I write from.",
        "My late [father's|mother's] [profile|account] should be [passed on|transferred] to me with the <thing> in it.",
        "I got a mail that somebody [in <town>|on a new phone] signed in as me.",
        "The <thing> is registered to its [previous|first] owner and I cannot [take it over|add it to mine].",
    ),
    details=(
        "I have tried [two browsers|it on the phone as well].",
        "My user name is the one I always [had|used].",
        "The link in the mail [is dead|leads nowhere].",
        "I have been registered since [2019|2021|<month>].",
        "It [worked|was fine] until <weekday>.",
    ),
    asks=(
        "Please [unlock|reset] it.",
        "Please confirm when [this is changed|it is done].",
        "Can you do [it|this] from your side?",
        "What do you need from me to [prove who I am|change it]?",
    ),
    asides=(
        "I can [see|read] everything in my account, so [that works|the login is fine].",
        "The password problem [is solved|was my own mistake].",
        "My address in the profile is [up to date|correct].",
        "I am registered with this e-mail address.",
        "I have two accounts, but this is about the [first|newer] one.",
        "I ordered as a guest, without an account.",
    ),
    subjects=("Login", "My account", "Password", "Change of address", "My data", "Locked out"),
    misspelt="acount",
)

CANCELLATION = Queue(
    weight=1.3,
    problems=(
        "I would like to [cancel|end|stop] <plan> [at the end of <month>|with immediate effect|before the next payment].",
        "Please [cancel|withdraw] order <order>, I [chose the wrong size|found it elsewhere|no longer need it] and it [has not "
        "shipped|is not packed] yet.",
        "Do not [renew|extend] <plan> [in <month>|when the year is over].",
        "I do not find [a button|the place] in my account to leave <plan>.",
        "Please stop the monthly [deliveries|boxes] of [filters|pods|refills], [the cupboard is full|we do not use them].",
        "Do not charge me for <month>, I am [leaving|done with] <plan>.",
        "I [sold|gave away] the <thing>, so <plan> makes no sense any more.",
        "What is the notice period for <plan>? I [want|would like] out [as soon as possible|by <month>].",
        "I pressed [buy|the button] twice, one of the two orders must not go out, the number is <order>.",
        "[With|After] the new price of <amount2> I [take|use] my right to [leave|end the contract].",
        "The free month [is enough|was nice], I do not want to go on with the paid one.",
        "My [mother|father] has moved to a [home|clinic] and <plan> in [her|his] name has to [end|be closed].",
        "If it takes until <date2> to [send|deliver] the <thing>, then [take the order off|scrap the order], I will [buy|get] "
        "one here in <town>.",
        "As the <thing> [keeps failing|breaks down so often] I [quit|give up] <plan>, please confirm the last day.",
        "I asked for the end of <plan> on <date> and [got|have] no confirmation.",
        "Please take the [second <thing>|<part>] out of order <order> and send only the rest.",
        "I [want to|would like to] withdraw from the [extended warranty|protection plan] within the fourteen days.",
        "This year there is no money for <plan>, [sorry|I am afraid], so that was my last box.",
        "Nobody in this [house|family] drinks coffee from pods any more, you can [keep|hold back] the [next boxes|box for "
        "<month>] for good.",
        "I signed up for <plan> by mistake when I [paid for|ordered] the <thing>, [undo it please|I never wanted it].",
    ),
    details=(
        "My contract began [on <date>|in <month>].",
        "I do not want [another offer|to be talked round].",
        "Nothing has been [used|shipped].",
        "I will not [pay|renew] for another [year|month].",
    ),
    asks=(
        "Please confirm [in writing|the date|the end].",
        "[Please|Kindly] do not ring me about it.",
        "From [which|what] day is it over?",
    ),
    asides=(
        "I do not want to cancel [anything|<plan>], [just to be clear|on the contrary].",
        "I left <plan> in <month>, that went [smoothly|well].",
        "My mother cancelled hers, I am staying.",
        "I [thought about|was thinking of] cancelling, but no.",
        "The notice for <plan> has been confirmed already.",
    ),
    subjects=("<plan>", "Cancel <order>", "Contract", "End of contract", "Please stop"),
    misspelt="cancelation",
)

PRODUCT = Queue(
    weight=2.3,
    problems=(
        "Does the <product> [work|get along] with [hard water|a 5 GHz network|a solar battery|rain water]?",
        "What is the difference between the <product> and the <product2>?",
        "How loud is the <product> [at night|on the lowest step|in decibels]?",
        "Can the <part> of the <thing> go in the dishwasher?",
        "Will the <part> of the [old|previous] model fit the <product>?",
        "[Will|When will] the <product> [come in|be available in] <colour> [again|]?",
        "How long [will|does] the battery of the <product> last [with daily use|in the cold]? I have not bought it yet.",
        "For how many square metres is the <product> [made|good]?",
        "Which filters [belong to|go with] the <product> and how often [are they changed|must they be changed]?",
        "[Can|Could] I use the <product> without an account and without the app?",
        "What [is included in|do I get with] <plan>, are [the spare parts|the boxes] sent [free|automatically]?",
        "If I take <plan> together with the <product>, can I [cancel|leave] at any time?",
        "How long is the warranty on the <thing> and would I have to pay the postage if it [broke|failed]?",
        "Does the price of <amount> include [the <part>|VAT|delivery to <town>]?",
        "I am [thinking of|considering] the <product> for my [mother|father], is the [display|writing] easy to read?",
        "Do you take an old <thing> in part exchange when I [buy|order] the <product>?",
        "Does the <product> fit [under a cupboard of|into a gap of] <number>0 cm?",
        "[Do you sell|Is there] the <part> of the <thing> [separately|as a spare part]?",
        "Does the <thing> need [Wi-Fi|a login] for everything, or will it [also run|run] [offline|by itself]?",
        "How many watts does the <product> [draw|need] [in standby|when it heats]?",
        "Which of your <thing>s would you [recommend|take] for a flat with [two cats|a baby|bad air]?",
        "Is the <product> at <amount> the [same|very one] that was <amount2> in <month>, [or a newer model|what was changed]?",
        "What happens when the <thing> loses its Wi-Fi, does it [go on|stop]? I want to know before I [order|pay].",
        "My <thing> is from [2019|2021], would it be [worth|sensible] to [change to|get] the <product>?",
        "Should I [get|go for] the <product> or is the smaller one [enough|fine] for [two people|a small kitchen]?",
        "Is the noise at [the start|switching on] normal for the <product> or [only|just] the one in your [shop|film]? I would "
        "[rather know|like to know] first.",
        "If the <colour> one does not match our kitchen, can [it be|I have it] exchanged later? That would [decide|settle] it for me.",
    ),
    details=(
        "The [page|data sheet] does not say.",
        "We have [two floors|very hard water|a small kitchen|a dog].",
        "I am [torn|undecided] between [two models|this and another brand].",
        "I have read [the manual|all the reviews] online.",
    ),
    asks=(
        "What would you [recommend|advise]?",
        "I would [order|decide] this week.",
        "Is there [a data sheet|a comparison] somewhere?",
    ),
    asides=(
        "The <product2> that I bought in <month> is [great|just right].",
        "I chose it because of the battery and the <colour> <part>.",
        "I know the difference to the <product2>, I read the data sheet.",
        "In the shop they told me that it fits.",
        "It is the <colour> one, the [big|small] model.",
    ),
    subjects=("Question", "<product>", "A question about the <thing>", "Before I buy", "Which one?"),
    misspelt="prodcut question",
)

COMPLAINT = Queue(
    weight=1.0,
    problems=(
        "I have been on hold for <number> minutes, [three|four] times [this week|since <weekday>], and nobody [answers|picks up].",
        "Your [agent on the phone|colleague in the chat] was [rude|short with me|laughing at me] when I asked about the <thing>.",
        "The driver [shouted at|was rude to] my [mother|wife|neighbour]; I [have|got] the parcel, what I want is [an apology|a "
        "word with his boss].",
        "This is the [third|fourth] time that I explain the same thing and each time I get the same [copied|ready-made] answer.",
        "I want to [praise|thank] <name> from your [support|hotline], who [stayed on the line|helped me] until everything was "
        "[done|running].",
        "Your new [website|shop] is a step back, [I needed|it took me] <number> minutes to find [my invoice|the return page|the "
        "contact form].",
        "The advert [promises|shows] something that the <product> is not, I feel [misled|cheated].",
        "Each of your people tells me something else about my refund, and it is no longer the money that [annoys me|makes me angry].",
        "The [amount|mountain] of plastic around one small <thing> is [a disgrace|a shame] in this day and age.",
        "I expect a manager to [call|write to] me, [I am tired of|enough of] being passed around.",
        "Your app [nags|pesters] me with adverts for <plan>, for a <thing> at <amount> I find that [cheap|poor].",
        "A suggestion: let us [choose the day of the boxes|pay every three months|see the firmware notes], [many|others] would "
        "[like|love] it.",
        "After [ten|twelve|six] years as a customer I am [disappointed|sad to see] how the quality has gone down.",
        "Billing sends me to delivery and delivery sends me to billing, does anybody [there feel responsible|read this]?",
        "To leave <plan> I had to listen to offers for <number> minutes, [what a way|is that how you want] to treat people "
        "[?|that have paid for years?]",
        "[The lady|The man] who came [to repair|about] the <thing> left [mud|his rubbish] [all over the hall|in the kitchen] and "
        "was an hour late.",
        "[Well done|Compliments]: ordered on <weekday>, here on [the next day|<weekday2>], and a hand-written card in the box.",
        "Your chat robot [does not understand|gives up on] [a word|the simplest question], [I want to talk to a person|bring people back].",
        "I was promised a call [back|] [on <weekday>|at <time>], [I stayed in for it|took time off], and [once more|again] nothing.",
    ),
    details=(
        "That is not how [you treat|one treats] customers.",
        "I will [say so|write about it] in a review.",
        "[My friends|Others] say the same.",
        "I have [always recommended you|been with you since <month>].",
    ),
    asks=(
        "I expect [an apology|an answer from the management].",
        "Please pass this on.",
        "You need not [do anything|answer], I only wanted [you to know|to say it].",
    ),
    asides=(
        "Your colleague <name> was [very kind|patient], please tell her.",
        "I was on hold for <number> minutes.",
        "I am [a bit|rather] disappointed, I must say.",
        "I have been a [happy|loyal] customer for years.",
        "This is the second time that I write.",
        "[Not very|Really not] professional.",
        "The lady on the phone could not help.",
    ),
    subjects=("Feedback", "Not happy", "Complaint", "To the manager", "Your service"),
    misspelt="complant",
)

QUEUES: dict[str, Queue] = {
    "account": ACCOUNT,
    "billing": BILLING,
    "cancellation": CANCELLATION,
    "complaint": COMPLAINT,
    "delivery": DELIVERY,
    "product question": PRODUCT,
    "returns": RETURNS,
    "technical": TECHNICAL,
}

CONFUSED = {
    "account": ("technical", "billing"),
    "billing": ("returns", "account", "delivery"),
    "cancellation": ("account", "billing", "returns"),
    "complaint": ("delivery", "technical"),
    "delivery": ("returns", "billing", "complaint"),
    "product question": ("technical", "returns"),
    "returns": ("billing", "delivery", "technical"),
    "technical": ("returns", "product question", "account"),
}
"""Which queues a clerk in a hurry would choose by mistake."""

GREETINGS = (
    "Hi,", "Hi there,", "Hello,", "Hello Wendlow,", "Dear Wendlow team,", "Dear Sir or Madam,", "Good [morning|evening|afternoon],",
    "Hey,", "To whom it may concern,", "Dear support,", "Hi team,", "Hello everyone,", "Greetings from <town>,", "Dear all,",
)  # fmt: skip

OPENINGS = (
    "I hope [you can help me|this reaches the right person|you are well].",
    "I [did not find|could not find] [an answer|anything] on your [help pages|website], so I [write|am writing] to you.",
    "Sorry to [bother|trouble] you [with this|on a <weekday>].",
    "I tried to [call|ring] you [all morning|twice] without luck.",
    "My English is not [perfect|so good], please be patient.",
    "I [am writing|write] on behalf of my [mother|father|neighbour], who has no [computer|e-mail].",
    "[Quick one|Short question|Just a short note].",
    "I am [a little|somewhat] [confused|at a loss].",
    "Something [odd|strange] has happened.",
    "[We need|I need] your help [again|once more].",
    "[As I said|As discussed] on the phone [this morning|on <weekday>], here it is in writing.",
    "I was told to [send|write] this to you.",
    "[Thank you for|Thanks for] your [quick|friendly] answer last time.",
    "It has been [a long day|one of those weeks], so I will be brief.",
    "My [son|daughter] says I should [write it down|tell you].",
)

CONTEXTS = (
    "I bought the <product> on <date> [(order <order>)|with order <order>|for <amount>].",
    "I have been [a member of|on] <plan> since <month>.",
    "[My|Our] <thing> came [in <month>|with the courier on <weekday>] and I paid <amount> [by card|by transfer|with a voucher].",
    "We [own|have] [two|three] Wendlow devices, [the newest is|among them] the <product>.",
    "My order number is <order>.",
    "[It concerns|This is about] [the <product>|order <order>|order <order> from <date>].",
    "The <thing> was a [birthday|Christmas|wedding] [gift|present] [from|for] my [sister|son|parents].",
    "I [live|have a small flat] in <town>, [third floor|next to the station], and [order|buy] from you [often|now and then].",
    "Last <weekday> I [logged into my account|looked at my order] and [checked|read] everything again.",
    "Your last [parcel|box], [the return label|the invoice] [included|and all], is [still here|on my desk].",
    "I took the <product> with <plan>, in <colour>, and the app is on my phone.",
    "After the [old|first] <thing> was [exchanged|refunded], I ordered the <product> on <date>.",
    "I ordered on <date>, paid <amount>, and [the confirmation came at once|got a mail at <time>].",
    "For the record: order <order>, <date>, <product>, <amount>.",
    "[My wife|My husband|My flatmate] set up [the account|the app], I only use the <thing>.",
)

ASKS = (
    "Please [advise|help].", "What [can|should] I do [now|]?", "What now?", "Please get back to me [soon|by <weekday>|].",
    "Can you look into this?", "I look forward to [your answer|hearing from you].",
    "Please [reply|answer] [by e-mail|to this address|], not by phone.", "Any idea?", "[Is that|Is this] [right|normal|on purpose]?",
    "Can somebody [take care of|see to] this?", "How do we [go on|proceed]?", "Please [sort it out|deal with it].",
    "[Could|Would] you [please|kindly] let me know [what happens next|how it goes on]?",
    "I would be grateful for [a quick|an early] answer.", "Please tell me [what you need|whom to ask].", "It is [rather|quite] urgent.",
    "No hurry [on my side|].",
)  # fmt: skip

JOINERS = (
    "[And another|One more] thing.", "Also:", "By the way, a second point:", "While I am writing:", "And then there is this.",
    "Less urgent:", "Something else:", "Another matter, [not so important|for later]:", "PS:", "On top of that:",
    "And since I have you here:", "Besides:",
)  # fmt: skip

CLOSINGS = (
    "[Kind|Best|Warm] regards", "Thanks", "Thank you", "Many thanks [in advance|]", "Cheers", "Yours [sincerely|faithfully]",
    "All the best", "Thanks a lot", "Regards", "Best", "Have a nice [day|weekend]", "With [kind|friendly] greetings",
)  # fmt: skip

SIGNATURES = (
    "<name>",
    "<first>",
    "<name>\n<town>",
    "<name>\nCustomer since [2018|2020|2022]",
    "<name>\n\nSent from my [phone|tablet]",
    "<name> [and family|& <first2>]",
    "<name>\n[Head of Office|Facility Manager|Purchasing]\n<town>",
)

QUOTED = (
    "On <date> at <time>, Wendlow Support wrote:\n> Thank you for your message. We have passed it on to the team in charge.\n"
    "> You will hear from us within two working days.",
    "-----Original Message-----\nFrom: Wendlow Support\nSubject: We received your request\n\nThank you for contacting us. Please "
    "do not change the subject line.",
    "> Dear customer,\n> we are sorry for the wait. At the moment it takes us a little longer than usual to answer.\n> Your Wendlow team",
    "--\nThis e-mail may contain confidential information. If you are not the intended recipient, please delete it and tell the sender.",
    "________________________________\nThink of the environment before you print this mail.",
    "On <date>, <first> from Wendlow wrote:\n> Could you send us the order number and a photo?\n> Then we can look into it at once.",
)

CALL_NOTES = ("Caller says:", "Call note:", "Voicemail:", "Phoned at <time>.", "Customer on the phone, in her words:", "Call back wanted.")

RAMBLE = (
    "I should say that I am not [a technical person|good with these things].",
    "My late husband used to take care of [all this|such matters], and since he is gone I have to find my way through it alone.",
    "We moved to <town> in <month>, into a [small flat|house with a garden], and half of our things are still in boxes.",
    "It was a <weekday>, I remember it because the window cleaner was here and the dog would not stop barking.",
    "My neighbour, who knows about such things, had a look and could only shake his head.",
    "First I thought that it was my own mistake, one always does.",
    "In <month> I was in hospital for two weeks, so I may have missed a mail or two.",
    "The children came for the weekend and of course everybody had a different opinion about it.",
    "I sat down with a cup of tea and read every page that I have from you, front and back.",
    "My daughter says that I worry too much, but I like to have my things in order.",
    "We had a [shop|device] from another brand before, and there it was all much simpler, though it lasted barely a year.",
    "To be fair, until now I had no reason to complain and I have told many people so.",
    "I have recommended you to my [sister|bridge club|colleagues], three of them have bought from you since.",
    "The weather has been dreadful here, so I had plenty of time to think about it.",
    "I wrote it all down in a little book, with the day and the hour, as my father taught me.",
    "At <time> I was just about to leave the house when the telephone rang, but it was only my brother.",
    "I am seventy-[four|six|nine], and I do most things on the computer myself, slowly but surely.",
    "Since we work from home there is always somebody in, so that cannot be it.",
    "The instructions were in a very small print, my glasses had to be found first.",
    "Then the light in the hall failed, which has nothing to do with you, but it did not make the evening better.",
    "I asked in the shop in <town>, they were friendly and had no time at all.",
    "On the internet one reads this and that, and afterwards one knows less than before.",
    "My son, who is good with computers, lives in <town> and only comes every other month.",
    "I took three photographs, of which two are blurred, I will gladly send the third one.",
    "We had guests on that evening, eight of them, and you can imagine how embarrassing it was.",
    "A friend of mine had exactly the same thing happen and got an answer within a day.",
    "It may well be that I pressed something that I should not have pressed.",
    "I went to bed and hoped that it would be gone in the morning, as a cold is sometimes.",
    "The caretaker of our house, a patient man, says he has never seen such a thing.",
    "You may laugh, but I had put the date in my calendar with a red pen.",
    "I looked in the cellar, in the garage and even in the garden shed.",
    "At work we use your things as well, in the little kitchen on the second floor, and there everybody is content.",
    "Next week we go on holiday for ten days, to the sea, so after that I can see to it again.",
    "My wife is of the opinion that I should have asked much earlier.",
    "Normally I would have let it pass, life is too short for such things.",
    "When I was young one went to the shop around the corner and that was that.",
    "I have nothing against progress, please do not misunderstand me.",
    "The cat sat in the empty box for an hour, so at least one of us was happy.",
    "I tried it in the morning, at noon and at <time>, always with the same outcome.",
    "There is a number on the bottom that I cannot read any more, not even with a magnifying glass.",
    "Perhaps it is only a small thing and you will see at one glance what the matter is.",
    "My grandson drew a picture of it, which now hangs on the refrigerator.",
    "I know that you have many letters to answer and that mine is not the most important one.",
    "The man at the counter sent me upstairs, and upstairs they sent me down again.",
    "Our street is being dug up at the moment, so things have been difficult in general since <date>.",
    "I have been told that I explain things at length, so please forgive me if this gets longer.",
    "The first days it was a pleasure, we were all enthusiastic.",
    "After <number> days I gave up waiting and made a list of what had happened so far.",
    "I do not want to blame anybody, mistakes happen everywhere and also to me.",
    "In our family we are six, and each of us uses it in a different way.",
    "I even called the number on the box, but it belongs to a company that no longer exists.",
    "My colleague at the next desk, <first>, had the idea that I should write to you.",
    "It is the third device of this kind in our household and the first that I had to write about.",
    "On <weekday> the electrician was here for another reason and he looked at it in passing.",
    "I was a bookkeeper for forty years and small differences do not let me sleep.",
    "The radio was on, otherwise I would have heard it, I suppose.",
    "We have kept the wrapping paper, because one never knows.",
    "A lady in your shop in <town> told me in <month> that such things take care of themselves.",
    "I must admit that I was in a bad mood on that day, with the roof leaking and all.",
    "What surprises me most is that it was all right only the evening before.",
    "If I had known how long this would take, I would have begun earlier.",
    "I was in the middle of making jam, eleven jars, and had no hand free.",
    "Afterwards I read your message again and understood it even less.",
    "My brother-in-law offered to look at it, but with him things usually come back in pieces.",
    "It cannot be the heat, because the room faces north and is cool even in summer.",
    "The schoolteacher next door thinks that the date is the key to it all.",
    "I have learned to be patient, first with my children and now with my telephone.",
    "By the way, the little card that you put into the box was very charming.",
    "For two days I did nothing, in the hope of some news.",
    "I then drank a coffee and counted to ten, which my doctor recommends.",
    "My handwriting is worse than my typing, so be glad that this is not a letter.",
    "Please do not send me to the help pages, I know them by heart by now.",
    "It so happened that on <date> I had taken the afternoon off to get it all done.",
    "The whole family was sitting around the table and nobody said a word.",
    "I have a folder for everything that I own, and yours is the thickest of them.",
    "Last year something of the kind happened with our washing line, another story altogether.",
    "The postwoman, who has known us for years, found it strange too.",
    "I would not write such a long text if it did not matter to me.",
    "Sooner or later one asks oneself whether it is worth the trouble.",
    "My wish is a simple one and I will come to the end now.",
)

CASUAL = (
    ("I am", "I'm"), ("cannot", "can't"), ("do not", "don't"), ("does not", "doesn't"), ("did not", "didn't"), ("has not", "hasn't"),
    ("it is", "it's"), ("I have", "I've"), ("[Pp]lease", "pls"), ("because", "cause"), ("will not", "won't"), ("I would", "I'd"),
    ("was not", "wasn't"), ("and", "&"), ("your", "ur"), ("you", "u"), ("Thank you|Thanks", "thx"),
)  # fmt: skip

SYNONYMS = {
    "although": "though", "because": "since", "bought": "purchased", "every": "each", "got": "received", "now": "currently",
    "often": "frequently", "only": "just", "parcel": "package", "please": "kindly", "received": "got", "says": "states",
    "small": "little", "soon": "quickly", "told": "informed", "until": "till", "want": "need", "cannot": "can not", "week": "fortnight",
    "nobody": "no one", "still": "to this day", "another": "one more", "always": "usually", "friendly": "kind", "ordered": "bought",
    "need": "want",
}  # fmt: skip
"""What a customer who types the same letter again from memory puts in a word's place."""

SECOND_LETTERS = ("Second attempt:", "I wrote this before.", "Still no answer, so once more:", "Again:", "Forwarded once more.")

PRODUCTS = (
    ("Nimbus 300 purifier", "purifier"), ("Nimbus Mini purifier", "purifier"), ("Roam S2 mopping robot", "robot"),
    ("Roam Max mopping robot", "robot"), ("Sable coffee machine", "coffee machine"), ("Sable Duo coffee machine", "coffee machine"),
    ("Kestrel smart kettle", "kettle"), ("Fjord water filter", "water filter"), ("Kestrel Glass smart kettle", "kettle"),
    ("Tundra dehumidifier", "dehumidifier"), ("Tundra Slim dehumidifier", "dehumidifier"), ("Quill blender", "blender"),
    ("Feather floor washer", "floor washer"), ("Feather Pro floor washer", "floor washer"), ("Pebble steam cleaner", "steam cleaner"),
    ("Breeze cooling fan", "fan"), ("Pebble Go steam cleaner", "steam cleaner"), ("Fizz sparkling-water maker", "water maker"),
    ("Brook pet fountain", "fountain"), ("Clover planter", "planter"), ("Velvet milk frother", "milk frother"),
    ("Panes window cleaner", "window cleaner"), ("Dew humidifier", "humidifier"), ("Dew Nursery humidifier", "humidifier"),
)  # fmt: skip

PARTS = (
    "lid",
    "filter",
    "charger",
    "power cable",
    "tank",
    "brush",
    "station",
    "remote",
    "tray",
    "nozzle",
    "handle",
    "hose",
    "battery",
    "jug",
    "base",
    "sensor",
)
PLANS = (
    "Wendlow Plus",
    "the filter plan",
    "the coffee plan",
    "the refill plan",
    "the Plus membership",
    "my subscription",
    "the monthly plan",
)
COLOURS = ("white", "black", "green", "grey", "cream", "red", "blue", "copper")
TOWNS = (
    "Leeds", "Bath", "Exeter", "Dundee", "York", "Cardiff", "Norwich", "Derby", "Galway", "Malmö", "Orléans", "Lübeck", "Cork", "Ghent",
    "Tromsø", "Girona", "Hull", "Perth", "Luton", "Stoke", "Kraków", "Münster", "Besançon", "Swansea",
)  # fmt: skip
FIRST_NAMES = (
    "Anna", "Ben", "Chloé", "Dev", "Edith", "Femi", "Grace", "Hugo", "Imran", "José", "Karin", "Liam", "Maja", "Nadia", "Oskar", "Priya",
    "Quentin", "Rosa", "Søren", "Tess", "Uma", "Viktor", "Wendy", "Yara", "Zoë", "Margaret", "Piotr", "Renée", "Jürgen", "Aoife", "Tom",
    "Sunita",
)  # fmt: skip
LAST_NAMES = (
    "Abbott", "Baker", "Castro", "Dubois", "Ellis", "Fischer", "García", "Hughes", "Ivanova", "Jensen", "Kaur", "Lindqvist", "Müller",
    "Nowak", "O’Brien", "Patel", "Quinn", "Rossi", "Schäfer", "Thompson", "Usman", "Vásquez", "Wright", "Young", "Zieliński", "Okafor",
    "Bianchi", "Lefèvre", "Marsh", "Holt",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
VOUCHERS = ("SPRING20", "WELCOME10", "HOME15", "THANKYOU5", "FRIENDS25", "PLUS10")
SUBJECTS = (
    "Help",
    "Urgent",
    "Hello",
    "Request",
    "Re: your message",
    "Re: order <order>",
    "My order",
    "Enquiry",
    "Support",
    "<thing>",
    "Problem",
    "(no subject)",
)
