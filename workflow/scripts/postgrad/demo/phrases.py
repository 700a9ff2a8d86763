"""The words and phrases of the made-up posts, as a grammar."""

# Each entry is a symbol and its alternatives, separated by bars; <symbol> stands for an alternative
# of another symbol. Early alternatives are more frequent. The cues of a class have the symbol
# <task>_<class code>. THING is the keyword of the post: `the park` or `hiking` in 2024 Task 3, a
# therapy in 2023 Task 2. `#` is a digit, `*` a letter or digit.
GRAMMAR = """
place: park|garden|forest|beach|woods|lake|playground|river|trail|meadow|allotment|hills|
  countryside|campsite|promenade|orchard|nature reserve|bridge by the canal|dog park|bike path
activity: walking|hiking|running|gardening|cycling|camping|fishing|jogging|birdwatching|swimming|
  climbing|rowing|skating|picnicking|dog walking|stargazing|foraging|kayaking
anxiety: social anxiety|anxiety|shyness|fear of people|SA|nerves|panic|worry|dread of crowds|
  inner alarm
mind: my <anxiety>|me|my mind|my head|my thoughts|my body|my heart|my breathing|my mood|
  my whole system
helps: helps|calms|soothes|eases|relaxes|settles|quiets|grounds|steadies|heals|restores|softens|
  frees|lifts|comforts|resets|loosens|clears|balances|recharges|rescues|unwinds
harms: hurts|scares|overwhelms|triggers|frightens|drains|upsets|rattles|floods|crushes|exhausts|
  unsettles|alarms|stings|shakes|tightens|freezes|wrecks|burdens|poisons|corners|strangles
calm: calm|relaxed|peaceful|safe|free|light|at ease|grounded|hopeful|serene|content|steady|rested|
  brave|mellow|settled|clear|unburdened
nervous: anxious|nervous|scared|tense|panicky|on edge|awkward|shaky|watched|judged|jittery|sweaty|
  frozen|exposed|dizzy|cornered|trapped|hunted
more: more|even more|much more|way more|a lot more|twice as
less: less|much less|far less|way less|a lot less|hardly
better: better|lower|milder|nearly gone|manageable|down to 2.5 out of 10|smaller|fading
worse: worse|stronger|higher|out of control|up to 9.5 out of 10|bigger|spreading|unbearable
same: the same|as before|unchanged|no different|neither up nor down|where it was|stuck at 5.0
meh: okay I guess|nothing special|fine but no cure|just another errand|so-so|neutral|
  neither here nor there
stares: stares|looks at me|laughs|watches me|whispers|points|crowds in|judges
kin: cousin|brother|sister|roommate|mum|dad|boss|neighbour|uncle|aunt|friend|coworker|grandma|
  landlord|classmate|stepdad
event: parties|work|school|meetings|the gym|the office|class|family dinners|the phone|
  the supermarket|church|job interviews|weddings|the bus|presentations|dates|the barber|the dentist
when: last week|yesterday|this morning|on sunday|in april|two years ago|since college|every day|
  at night|all summer|after lunch|back in 2019|since the lockdown|once a month
open: hi all|so|hey everyone|long time lurker|not sure where to post this|okay|throwaway account|
  first post here|update|honest question
close: any tips?|thanks for reading|anyone else?|just venting|sorry for the long post|
  what should I do|that is all|wish me luck|am I alone with this|rant over
cause: coffee|the new meds|my therapist|a podcast|sertraline|music|my cat|yoga|loud traffic|
  the news|my phone|group chats|sleep|beer
chat: I feel <nervous> at <event>|<event> left me <nervous>|<cause> <helps> me|<cause> <harms> me|
  I have had <anxiety> <when>|my <kin> called <when>|I live with my <kin>|
  <cause> makes me <more> <calm>|it was 2#.# degrees out|I slept #.5 hours|
  my <kin> says I look <calm>|I avoid <event>|<event> is <better> <when>|I paid $#.50 for <cause>|
  I read this https://example.org/********|<event> got <worse> <when>|I am 2# and shy|
  my <kin> is <nervous> at <event>|I cancelled on my <kin> <when>|<close>

smm4h24-task3_0: my <kin> loves THING|someone asked me about THING and I froze|
  we talked about THING <when>|my <kin> says THING <helps> her <anxiety>|
  I saw a video about THING <when>|my flat is close to THING|my <kin> posts pictures of THING|
  I read that THING <helps> people|my <kin> got hurt from THING|I met my <kin> through THING|
  they asked if I like THING and I felt <nervous>|my <kin> feels <calm> after THING|
  THING is closed <when>|my <kin> thinks THING <harms> her
smm4h24-task3_1: THING <helps> <mind>|I feel so <calm> after THING|
  after THING I feel <less> <nervous>|after THING I feel <more> <calm>|
  my <anxiety> is <better> thanks to THING|I dreaded THING but it <helps> <mind>|
  with THING <when> my <anxiety> got <better>|THING no longer <harms> <mind>, it <helps>|
  nothing <helps> <mind> like THING
smm4h24-task3_2: THING does nothing for <mind>|I tried THING and I feel <same>|
  after THING my <anxiety> is <same>|THING is <meh>|I hoped THING <helps> <mind> but I feel <same>|
  THING neither <helps> nor <harms> <mind>|with THING or without it I am just as <nervous>|
  I go to THING <when> and my <anxiety> stays <same>|
  I can not say that THING <helps> <mind>, still <same>
smm4h24-task3_3: THING <harms> <mind>|I feel so <nervous> during THING|
  after THING I feel <more> <nervous>|after THING I feel <less> <calm>|
  my <anxiety> is <worse> because of THING|I loved THING but now it <harms> <mind>|
  everyone <stares> at THING|with THING <when> my <anxiety> got <worse>|
  THING no longer <helps> <mind>, it <harms>|nothing <harms> <mind> like THING

child: son|daughter|kid|boy|little girl|4 yr old|toddler|youngest|oldest|little one|baby|twins|#yo|
  teen|middle child|firstborn|stepson|preschooler|kindergartner|mini me
other: nephew|niece|brother|cousin|student|friend|godson|grandson|neighbor's kid|sister|boss|
  coworker|teacher|roommate|husband|wife|bestie|mom|boyfriend|patient
disorder: ADHD|autism|asthma|ASD|adhd|a speech delay|autistic traits|severe asthma|delayed speech|
  sensory issues and autism|inattentive ADHD|nonverbal autism|asd level 2|
  apraxia and a speech delay|asthma and allergies|aspergers
has: has|was diagnosed with|lives with|struggles with|got a diagnosis of|deals with|
  is being treated for|takes meds for|goes to therapy for|was born with|copes with|
  is home sick with
handle: @user_##|@mama_**|@dad##|@health_news|@school_board|@dr_***|@kidsfirst|@news#
emoji: 😂|❤️|😭|🙏|💙|🤔|😷|🌈|🙄|💪
tag: #autism|#ADHD|#momlife|#asthma|#parenting|#SpEd|#mentalhealth|#AutismAwareness
tail: <emoji>|<tag>|https://t.co/**********|so proud|please help|it is hard|we got this|smh|
  just saying|lol|who else?|thank you <handle>|<emoji><emoji>|every single day|and nobody listens|
  1.5 hours in traffic for it
smm4h24-task5_0: my <other> <has> <disorder>|I have <disorder> and my <child> does not|
  my <child>'s friend <has> <disorder>|my <child>'s teacher thinks every kid <has> <disorder>|
  reading about <disorder> while my <child> naps|my <other>'s <child> <has> <disorder>|
  no, my <child> does not have <disorder>|could my <child> have <disorder>?|
  I swear my <child> <has> <disorder> lol jk|as a parent I worry about <disorder>|
  new study on <disorder> in children|my <child> was tested for <disorder>, it was negative|
  I was a kid with <disorder>, my <child> is not|my dog <has> <disorder>, I am sure|
  raising money for <disorder> with my <child>|his <child> <has> <disorder>
smm4h24-task5_1: my <child> <has> <disorder>|my <child> and my <other> have <disorder>|
  mom of a <child> with <disorder> here|my <disorder> kiddo is my <child>|
  both my <child> and I have <disorder>|turns out my <child> <has> <disorder>|
  my <child> can not wear a mask because of <disorder>|
  doctor confirmed it, <disorder> for my <child>|raising a <child> who <has> <disorder>|
  my <child> does not only have <disorder>, also anxiety|
  my <other> asks why my <child> <has> <disorder>|we found out that our <child> <has> <disorder>

age: 2#|1#|3#|4#|5#
mate: boyfriend|girlfriend|husband|wife|brother|sister|mom|dad|roommate|ex|best friend|cousin|boss|
  dog
did: got a new job|moved out|failed my exam|went to a concert|cried at work|bought a house|
  had surgery|quit smoking|started dating|lost my keys|got my license|made pancakes|finished school|
  broke my arm|watched cartoons all day|learned to swim|adopted a cat|cleaned the kitchen|
  called in sick|forgot my lunch
mood: tired|happy|sad|bored|proud|broke|single|in love|hungry|done with today|grateful|confused|
  sore|fine
life: I <did> <when>|my <mate> <did>|I feel <mood>|we have been together for # years|
  rent is $8##.50|I feel <mood> after <event>|my <mate> is <mood>|I am <mood> and my <mate> is not|
  we talk <when>|my <mate> says I am <mood>|I weigh 1## pounds|edit: thanks for the answers|
  what would you do|I do not know what to think|it lasted ## minutes|I work ## hours a week|
  my car has ## k miles
smm4h24-task6_0: I feel like I'm 80|I feel like I'm <age> again|my <mate> is <age>|
  my <mate> just turned <age>|I'm in my <age>s somewhere|I am <age> weeks pregnant|
  when I was <age> I <did>|almost <age> and <mood>|happy <age>th birthday to my <mate>|
  only <age> days until my birthday|I look <age> but I am not|my <mate> (<age>F) and I are <mood>|
  they thought I'm <age> lol|been doing this for <age> years|I am over <age>|
  <age> more minutes and I am free|I can't wait to be <age>|someone said I act like I am <age>|
  I'm <age>% sure
smm4h24-task6_1: I'm <age>|I am <age> years old|I just turned <age>|today is my <age>th birthday|
  I'm <age> and I <did>|I'm <age> but I feel like I'm 80|as a <age> year old I feel <mood>|
  me (<age>F) and my <mate>|turning <age> today|I <did> at my ripe age of <age>|<age>M here|
  my <mate> is older than me, I am <age>|finally <age>!|only <age> and already <mood>|
  I was <age> last year so now I am one more|I look 16 but I am <age>|still <mood> at <age>

drug: ibuprofen|sertraline|prednisone|metformin|my inhaler|tylenol|zoloft|adderall|vitamin D|
  iron pills|melatonin|an antibiotic|insulin|lexapro|benadryl|fish oil|seroquel|omeprazole|lyrica|
  the birth control pill
food: coffee|tea|soup|pizza|ice cream|juice|toast|chocolate|water with lemon|salad|noodles|cake
ail: headache|cold|back pain|sore throat|fever|stomach ache|insomnia|cough|toothache|hay fever
took: took|am on|started|just swallowed|was given|refilled|ran out of|doubled|need|swear by
effect: nausea|hives|night sweats|brain fog|the shakes|vivid nightmares|a dry mouth|hair loss|
  a racing heart|no appetite|weight gain|migraines|a rash|muscle cramps|dizziness|no sleep at all|
  mood swings|itching|heartburn|blurry eyes
struck: makes me feel like a zombie|knocked me out|keeps me up all night|made me gain ## pounds|
  ruined my stomach|gave me <effect>|left me with <effect>|turned me into a monster|
  wrecked my sleep|numbs my whole face|has me sweating|messed up my head
daily: my <mate> <did>|I feel <mood>|I <did> <when>|we talk <when>|my <mate> is <mood>|
  I had <food> <when>|it is # in the morning|this week is long|monday again|I miss <food>
smm4h20-task1_0: my <ail> is back|I drank <food> for my <ail>|no cure for this <ail>|
  the doctor said to rest|I need <food> to stay alive|my <mate> has a <ail>|<food> is my medicine|
  sleep is the best medicine|I am addicted to <food>|what helps against a <ail>?|
  my therapist moved away|the pharmacy was closed|a dose of <food> and I am fine|
  that song is a drug
smm4h20-task1_1: I <took> <drug>|<drug> for my <ail>|my <mate> gave me <drug>|
  <drug> and <food> for breakfast|out of <drug> again|does <drug> help against a <ail>?|
  they put my <mate> on <drug>|<drug> costs $##.50 now|I sleep thanks to <drug>|
  never without <drug>
smm4h20-task2en_0: I <took> <drug>|<drug> works for my <ail>|can <drug> give you <effect>?|
  <drug> took my <effect> away|no <effect> from <drug> so far|I <took> <drug> because of <effect>|
  my <mate> <took> <drug>|<drug> saved my week|the leaflet of <drug> lists <effect>|
  they say <drug> gives people <effect>|I need <drug> for this <ail>|
  <effect> without <drug>, so not the pill
smm4h20-task2en_1: <drug> <struck>|I have <effect> since <drug>|<effect> from <drug> again|
  <drug> took my <ail> and gave me <effect>|I quit <drug> over <effect>|
  day # on <drug> and <effect>|<drug> works but hello <effect>|is it <drug> that <struck>?|
  thanks <drug> for <effect>|<drug> plus me is <effect>
smm4h22-task1a_0: <drug> helps my <ail>|I <took> <drug> and feel <mood>|
  study finds <effect> rare with <drug>|who else is on <drug>?|I <took> <drug> against <effect>|
  my doctor wants me on <drug>|scared that <drug> brings <effect>|<drug> is cheaper now|
  no more <effect> since <drug>|ask your doctor about <drug>|my <mate> sells <drug>
smm4h22-task1a_1: <drug> <struck>|<effect> all week because of <drug>|coming off <drug> <struck>|
  my hands after <drug>, pure <effect>|<drug> is why I have <effect>|
  never again <drug>, it <struck>|# hours after <drug> I got <effect>|
  switched from <drug>, the <effect> was too much|<effect> is the price of <drug>|
  did <drug> give anyone else <effect>? it did me

flaw: a heart defect|spina bifida|a cleft lip|clubfoot|down syndrome|a hole in the heart|
  gastroschisis|microcephaly|hydrocephalus|a cleft palate|one kidney|a diaphragmatic hernia|
  hip dysplasia|a missing finger
carer: surgeon|cardiologist|nurse|ultrasound tech|specialist|midwife
smm4h20-task5_0: my <child> was born with <flaw>|our <child> had surgery for <flaw>|
  my <child> has <flaw>|mom of a <child> with <flaw> here|the <carer> found <flaw> in my <child>|
  raising a <child> who has <flaw>|proud of my <child>, <flaw> and all|
  my <child> goes to the <carer> for <flaw>|we lost our <child> to <flaw>|
  # years since my <child>'s <flaw> was mended
smm4h20-task5_1: the <carer> saw <flaw> on the scan|they think it is <flaw>|
  born with <flaw> and still smiling|this <child> fought <flaw>|we wait for tests on <flaw>|
  such a strong <child> with <flaw>|could be <flaw>, the <carer> is not sure|
  our little fighter against <flaw>|surgery day for <flaw>
smm4h20-task5_2: my <other> was born with <flaw>|new study on <flaw>|
  donate for children with <flaw>|awareness week for <flaw>|I was born with <flaw> myself|
  does <drug> cause <flaw>?|the film shows a <child> with <flaw>|my <other> works with <flaw>|
  a law on tests for <flaw>|the <carer> spoke about <flaw> on tv|no sign of <flaw> in my <child>|
  <flaw> runs in dogs too|read this thread on <flaw>

partner: husband|boyfriend|ex|girlfriend|wife|fiance|ex-husband|partner
hit: hit|choked|kicked|slapped|threatened|shoved|burned|beat|strangled|punched
smm4h22-task7_0: if he ever <hit> you, leave|my <partner> <hit> the snooze button|
  my <kin>'s <partner> <hit> her|that verdict <hit> hard|in the film her <partner> <hit> her|
  call the hotline if a <partner> <hit> you|my <partner> never <hit> me|
  stories of women whose <partner> <hit> them|my <kin> <hit> my car|
  nobody deserves a <partner> who <hit> them|I left my <partner> because I was <mood>|
  my <partner> is <mood>|my <partner> and I argue about <food>|
  the news says a <partner> <hit> a man
smm4h22-task7_1: my <partner> <hit> me|I left when my <partner> <hit> me|he <hit> me and said sorry|
  # years with a <partner> who <hit> me|I still hide bruises from my <partner>|
  she <hit> me in front of the kids|I survived a <partner> who <hit> me|
  my <partner> <hit> me over <food>|police came after my <partner> <hit> me|
  the night my <partner> <hit> me I ran

test: a pcr test|a home test|the second test|a rapid test|the lab|the swab from work|
  my antibody test
sick: covid|corona|the virus|covid-19|the rona|omicron
sign: a fever|no smell|no taste|a cough|chills|a sore throat|body aches|short breath|brain fog|
  pink eyes
smm4h23-task1_0: my <kin> tested positive|I tested negative for <sick>|
  think I had <sick> <when>, never tested|<test> came back negative|everyone at <event> has <sick>|
  my <kin> is in hospital with <sick>|my <kin>'s doctor says it is <sick>|
  I have <sign>, is it <sick>?|got my shot against <sick> <when>|waiting for <test>|
  cases of <sick> are up|I pretend to have <sick> to skip <event>|
  the doctor says my <sign> is no <sick>|free tests for <sick> at <event>
smm4h23-task1_1: I tested positive for <sick>|<test> came back positive|
  my doctor says I have <sick>|positive, <sign> and all|I was in hospital with <sick> <when>|
  day # since <test> said I have <sick>|so my <kin> gave me <sick>, <test> is positive|
  diagnosed with <sick> <when>|I had <sick>, <test> proved it|my <kin> and I both tested positive|
  two lines on <test>, me too now|the er told me my <sign> is <sick>

therapy: cbt|acupuncture|yoga|melatonin|physical therapy|massage|meditation|ketamine|cbd oil|chemo|
  emdr|botox|lithium|a tens unit|cupping|hypnosis|light therapy|radiation
like: works wonders|saved me|helps so much|is worth every penny|changed my life|took the pain away|
  beats any pill|lets me sleep again|gave me my days back
dislike: did nothing|made it worse|is a scam|left me sick|wasted my money|hurts for days|is hell|
  scares me|was a mistake
smm4h23-task2_0: THING <dislike>|I quit THING, it <dislike>|never again THING|
  they say THING <like>, for me it <dislike>|another week of THING, it <dislike>|
  my <kin> says THING <dislike>|THING no longer <like>|who pays for THING?|so done with THING|
  THING and still <mood>
smm4h23-task2_1: I have THING <when>|my <kin> asks about THING|who knows a place for THING?|
  new study on THING|THING costs $##.50 here|on my way to THING|does THING help against a <ail>?|
  off to THING after <event>|my <kin> starts THING <when>|reading about THING|THING at # today|
  some say THING <like>, some say it <dislike>|what to wear to THING?|the clinic offers THING now|
  my <kin> works in THING
smm4h23-task2_2: THING <like>|so glad I tried THING, it <like>|thanks to THING I feel <calm>|
  try THING, it <like>|they say THING <dislike>, for me it <like>|my <kin> says THING <like>|
  more THING please|THING for my <ail>, it <like>|bless THING|I was afraid of THING but it <like>

healer: psychiatrist|therapist|doctor|gp|psychologist|counsellor|school nurse
smm4h23-task4_0: am I just shy or is it <anxiety>?|my <kin> was diagnosed with <anxiety>|
  I never saw a <healer> about <anxiety>|a quiz says I have <anxiety>|
  my <healer> says it is no <anxiety>|how do I know it is <anxiety>?|
  I had <anxiety> as a kid, it is gone|does <cause> help against <anxiety>?|
  I think it may be <anxiety>|my <kin> thinks I have <anxiety>|the <healer> ruled out <anxiety>|
  waiting to see a <healer>|I was diagnosed with adhd, not with <anxiety>|
  diagnosed with asthma <when>
smm4h23-task4_1: I was diagnosed with <anxiety> <when>|my <healer> says I have <anxiety>|
  diagnosed <anxiety> here|a <healer> put <anxiety> on paper <when>|
  got my diagnosis of <anxiety> <when>|I have diagnosed <anxiety>|
  my <healer> treats me for <anxiety>|the <healer> confirmed <anxiety>|
  # years since I was diagnosed with <anxiety>|it is official, <anxiety>|
  my <anxiety>, says the <healer>, is severe|not shy, a <healer> diagnosed <anxiety>
"""
