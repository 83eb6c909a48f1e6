%% Group `global-ets' in Erlang: bench_name_table on three nodes, and OTP's pg. What each workload's values are is said where ours are:
%% src/contestants/ours/global-ets-*.ts
%%
%%   bench -- lines --> near node (main/0) -- erpc --> second node, which lives as long, and a third, or one that joins, which lives as long as a run
%%
%% Other nodes are ports of a process of the near one, and end when their stdin does. What they are told is in bench_global_ets_member.
-module(bench_global_ets).

-export([main/0, far/1]).

-import(bench_global_ets_member, [now_ms/0, until_size/1, hold/2, register_names/3, release/0, lookups/3, bytes/0]).

-define(MEMBER, bench_global_ets_member).
-define(WITHIN_MS, 60000).
-define(SETTLE_MS, 200).
-define(CALLERS, 100).
-define(PASSES, 5).
-define(PACED_INTERVAL_MS, 5).
-define(NAMES_PER_PROCESS, 10).
-define(NAMES_PER_PROCESS_OF_A_MILLION, 100).
%% A stopped node is continued when the healthy one has all names, and after so long in any case.
-define(STOPPED_AT_MOST_MS, 3000).
%% Reported as it is if the stopped node has not converged by then.
-define(CONVERGES_WITHIN_MS, 20000).
%% Buffers that are kept for a time only have so long to be given up.
-define(BYTES_SETTLE_MS, 2000).

main() ->
    bench_nodes:start_distribution("near"),
    {Second, _} = bench_nodes:start_other(?MODULE, "second", undefined),
    bench_global_ets_member:start_tables(),
    tell(Second, start_tables, []),
    bench_protocol:serve(fun(Workload, Size) -> run(Workload, Size, Second) end).

far([Role]) ->
    bench_nodes:start_distribution(Role),
    io:format("~s ~s~n", [node(), os:getpid()]),
    bench_protocol:halt_with_input().

run("register", Size, Second) -> register_all(1, Size, Second);
run("register-callers", Size, Second) -> register_all(?CALLERS, Size, Second);
run("visible", Size, Second) -> visible(Size, Second);
run("join", Size, Second) -> join(Size, Second);
run("bytes", Size, Second) -> bytes(Size, Second);
run("kill-9", Size, Second) -> kill_9(Size, Second);
run("stopped", Size, Second) -> stopped(Size, Second);
run("million", Size, Second) -> million(Size, Second);
run("groups", Size, Second) -> groups(Size, Second).

register_all(Callers, Size, Second) ->
    {Third, _} = start_third(Second),
    hold(Size, 1),
    Started = now_ms(),
    Visible = [ask(Node, until_size, [Size]) || Node <- [Second, Third]],
    {RegisterMs, _} = register_names(0, Size, Callers),
    answers(Visible),
    VisibleMs = now_ms() - Started,
    LookupMs = lookups(0, Size, ?PASSES),
    LookupFarMs = tell(Second, lookups, [0, Size, ?PASSES]),
    Releasing = now_ms(),
    release_all([Second, Third]),
    ReleaseMs = now_ms() - Releasing,
    {values, [{register, RegisterMs}, {visible, VisibleMs}, {lookup, LookupMs}, {lookupFar, LookupFarMs}, {release, ReleaseMs}], Size}.

visible(Size, Second) ->
    hold(Size, 1),
    Watcher = tell(Second, watch, [0, Size]),
    Begun = bench_global_ets_member:register_paced(0, Size, ?PACED_INTERVAL_MS),
    Took = lists:sort(lists:zipwith(fun(Seen, Registered) -> Seen - Registered end, tell(Second, seen, [Watcher]), Begun)),
    release_all([Second]),
    {values, [{Name, lists:nth(ceil(Share * Size), Took)} || {Name, Share} <- [{p50, 0.5}, {p99, 0.99}]], Size}.

join(Size, Second) ->
    hold(Size, 1),
    register_names(0, Size, 1),
    tell(Second, until_size, [Size]),
    {Other, _} = start_other(Second),
    JoinMs = tell(Other, join, [Size]),
    release_all([Second]),
    {values, [{join, JoinMs}], Size}.

bytes(Size, Second) ->
    hold(Size, 1),
    [Owner, Replica] = each([node(), Second], bytes, []),
    register_names(0, Size, 1),
    tell(Second, until_size, [Size]),
    timer:sleep(?BYTES_SETTLE_MS),
    [OwnerAfter, ReplicaAfter] = each([node(), Second], bytes, []),
    {values, [{owner, float(OwnerAfter - Owner)}, {replica, float(ReplicaAfter - Replica)}], Size}.

kill_9(Size, Second) ->
    {Third, OsPid} = start_third(Second),
    tell(Third, hold, [Size, 1]),
    tell(Third, register_names, [0, Size, 1]),
    each([node(), Second], until_size, [Size]),
    timer:sleep(?SETTLE_MS),
    Gone = [ask(Node, until_size, [0]) || Node <- [node(), Second]],
    timer:sleep(?SETTLE_MS),
    %% That a shell is started is not of it: the shell says when it kills, by the same clock, and then has nothing to start.
    Killed = list_to_integer(string:trim(os:cmd("date +%s%N; kill -9 " ++ OsPid))),
    answers(Gone),
    {values, [{gone, (os:system_time(nanosecond) - Killed) / 1.0e6}], Size}.

%% Registering is blocked by the stopped node, and stays so until that is continued.
stopped(Size, Second) ->
    {Third, OsPid} = start_third(Second),
    hold((Size + ?NAMES_PER_PROCESS - 1) div ?NAMES_PER_PROCESS, ?NAMES_PER_PROCESS),
    Stopped = bench_nodes:stop(OsPid),
    Started = now_ms(),
    Healthy = ask(Second, until_size, [Size]),
    Registering = ask(node(), register_names, [0, Size, 1]),
    Early = erpc:wait_response(Healthy, ?STOPPED_AT_MOST_MS),
    EarlyMs = now_ms() - Started,
    bench_nodes:continue(Stopped),
    Continued = now_ms(),
    HealthyMs = case Early of
        {response, _} -> EarlyMs;
        no_response ->
            answers([Healthy]),
            now_ms() - Started
    end,
    try erpc:call(Third, ?MEMBER, until_size, [Size], ?CONVERGES_WITHIN_MS) catch error:{erpc, timeout} -> ok end,
    ConvergedMs = now_ms() - Continued,
    [{_, SlowestMs}] = answers([Registering]),
    release_all([Second]),
    {values, [{slowest, SlowestMs}, {healthy, HealthyMs}, {converged, ConvergedMs}], Size}.

million(Size, Second) ->
    {Third, _} = start_third(Second),
    Nodes = [node(), Second, Third],
    Each = (Size + length(Nodes) - 1) div length(Nodes),
    Total = Each * length(Nodes),
    Processes = (Each + ?NAMES_PER_PROCESS_OF_A_MILLION - 1) div ?NAMES_PER_PROCESS_OF_A_MILLION,
    each(Nodes, hold, [Processes, ?NAMES_PER_PROCESS_OF_A_MILLION]),
    Before = each(Nodes, bytes, []),
    Started = now_ms(),
    answers([ask(Node, register_names, [Index * Each, Each, 1]) || {Index, Node} <- lists:zip([0, 1, 2], Nodes)]),
    each(Nodes, until_size, [Total]),
    VisibleMs = now_ms() - Started,
    {Other, _} = start_other(Second),
    JoinMs = tell(Other, join, [Total]),
    Heap = lists:max(lists:zipwith(fun(Then, Now) -> float(Now - Then) end, Before, each(Nodes, bytes, []))),
    {values, [{heap, Heap}, {visible, VisibleMs}, {join, JoinMs}], Total}.

%% pg: so many processes of the near node, each of which joins a group, and leaves it. `visible': until all three nodes list all members;
%% `members': as many get_members of the second node, of groups with a hundredth of the members each.
groups(Size, Second) ->
    {Third, _} = start_third(Second),
    hold(Size, 1),
    Started = now_ms(),
    Visible = [ask(Node, until_members, [Size]) || Node <- [node(), Second, Third]],
    JoinMs = bench_global_ets_member:change_groups(join, Size),
    answers(Visible),
    VisibleMs = now_ms() - Started,
    MembersMs = tell(Second, get_members, [Size]),
    LeaveMs = bench_global_ets_member:change_groups(leave, Size),
    each([node(), Second, Third], until_members, [0]),
    release(),
    {values, [{join, JoinMs}, {visible, VisibleMs}, {members, MembersMs}, {leave, LeaveMs}], Size}.

%%% Other nodes

start_third(Second) ->
    {Third, _} = Started = start_other(Second),
    tell(Third, start_tables, []),
    Started.

%% Connected with both; without a table.
start_other(Second) ->
    {Other, _} = Started = bench_nodes:start_other(?MODULE, "other", undefined),
    true = erpc:call(Second, net_kernel, connect_node, [Other]),
    Started.

%% Kills the processes that names are registered for, one after the other, and waits until the names are gone everywhere.
release_all(Others) ->
    Gone = [ask(Node, until_size, [0]) || Node <- Others],
    release(),
    until_size(0),
    answers(Gone).

tell(Node, Function, Arguments) -> erpc:call(Node, ?MEMBER, Function, Arguments, ?WITHIN_MS).

ask(Node, Function, Arguments) -> erpc:send_request(Node, ?MEMBER, Function, Arguments).

each(Nodes, Function, Arguments) -> answers([ask(Node, Function, Arguments) || Node <- Nodes]).

answers(Asked) -> [erpc:receive_response(Request, ?WITHIN_MS) || Request <- Asked].
