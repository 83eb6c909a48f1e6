%% What a node in group `global-ets' can be told to do, the near one too.
%%
%% Names are made where they are used, and kept by nobody but the table: name(7) is <<"user:0000007">>. Their processes wait for a message that never
%% comes, each with so many names as it is told; `keeper' knows them, and ends with them.
-module(bench_global_ets_member).

-export([now_ms/0, start_tables/0, join/1, until_size/1, hold/2, register_names/3, register_paced/3, watch/2, seen/1]).
-export([release/0, lookups/3, bytes/0]).
-export([until_members/1, change_groups/2, get_members/1]).

-define(WITHIN_MS, 60000).
-define(POLL_MS, 1).
-define(GROUPS, 100).
-define(SCOPE, bench).

%% CLOCK_MONOTONIC, which all processes of a Linux machine share.
now_ms() -> os:perf_counter(nanosecond) / 1.0e6.

start_tables() ->
    {ok, _} = bench_name_table:start(),
    {ok, _} = pg:start(?SCOPE),
    ok.

%% From the start of the table's server until the table has so many names.
join(Size) ->
    Started = now_ms(),
    {ok, _} = bench_name_table:start(),
    until_size(Size),
    now_ms() - Started.

until_size(Size) -> until(fun() -> bench_name_table:size() =:= Size end, now_ms() + ?WITHIN_MS).

%% Looks every millisecond.
until(Holds, Deadline) ->
    case Holds() of
        true -> ok;
        false ->
            now_ms() < Deadline orelse error(too_late),
            receive after ?POLL_MS -> ok end,
            until(Holds, Deadline)
    end.

hold(Processes, NamesPerProcess) ->
    {Keeper, Monitor} = spawn_monitor(fun() ->
        register(keeper, self()),
        keep([spawn(fun wait/0) || _ <- lists:seq(1, Processes)], NamesPerProcess)
    end),
    Keeper ! {holders, self()},
    receive
        {holders, _, _} -> demonitor(Monitor, [flush]);
        {'DOWN', Monitor, process, _, Reason} -> error(Reason)
    end,
    ok.

keep(Holders, NamesPerProcess) ->
    receive
        {holders, From} ->
            From ! {holders, Holders, NamesPerProcess},
            keep(Holders, NamesPerProcess);
        release -> lists:foreach(fun(Pid) -> exit(Pid, kill) end, Holders)
    end.

wait() -> receive stop -> ok end.

%% Kills the processes, one after the other. Returns when all are told, before their names are gone.
release() ->
    Monitor = monitor(process, keeper),
    keeper ! release,
    receive {'DOWN', Monitor, process, _, normal} -> ok end.

%% Each name with its process.
to_register(First, Count) ->
    keeper ! {holders, self()},
    {Holders, NamesPerProcess} = receive {holders, H, N} -> {H, N} end,
    lists:zip(lists:seq(First, First + Count - 1), lists:sublist([Pid || Pid <- Holders, _ <- lists:seq(1, NamesPerProcess)], Count)).

%% {From the first call until the last has returned, the slowest call}, in milliseconds.
register_names(First, Count, 1) ->
    All = to_register(First, Count),
    Started = now_ms(),
    SlowestMs = register_each(All, 0),
    {now_ms() - Started, SlowestMs};
register_names(First, Count, Callers) ->
    Each = (Count + Callers - 1) div Callers,
    Waiting = [spawn_monitor(fun() -> receive go -> exit({slowest, register_each(Share, 0)}) end end)
               || Share <- shares(Each, to_register(First, Count))],
    Started = now_ms(),
    [Pid ! go || {Pid, _} <- Waiting],
    Slowest = [receive {'DOWN', Monitor, process, _, {slowest, Ms}} -> Ms end || {_, Monitor} <- Waiting],
    {now_ms() - Started, lists:max(Slowest)}.

register_each([], Slowest) -> erlang:convert_time_unit(Slowest, native, microsecond) / 1000;
register_each([{N, Pid} | Rest], Slowest) ->
    Started = erlang:monotonic_time(),
    yes = bench_name_table:register_name(name(N), Pid),
    register_each(Rest, max(Slowest, erlang:monotonic_time() - Started)).

shares(_Each, []) -> [];
shares(Each, All) when length(All) =< Each -> [All];
shares(Each, All) ->
    {Share, Rest} = lists:split(Each, All),
    [Share | shares(Each, Rest)].

%% One at a time, by the clock. Returns when each was registered.
register_paced(First, Count, IntervalMs) -> register_paced(to_register(First, Count), now_ms(), IntervalMs, []).

register_paced([], _Due, _IntervalMs, Begun) -> lists:reverse(Begun);
register_paced([{N, Pid} | Rest], Due, IntervalMs, Begun) ->
    receive after max(0, ceil(Due - now_ms())) -> ok end,
    Now = now_ms(),
    yes = bench_name_table:register_name(name(N), Pid),
    register_paced(Rest, Due + IntervalMs, IntervalMs, [Now | Begun]).

%% Notes when each name is seen, by a process that the table tells of changes, and that looks the next name up then: seen/1 gives the times.
watch(First, Count) ->
    Watcher = spawn(fun() -> watch_for(First, First + Count, []) end),
    ok = bench_name_table:watch(Watcher),
    Watcher.

watch_for(End, End, Times) -> receive {take, From} -> From ! {seen, lists:reverse(Times)} end;
watch_for(N, End, Times) ->
    case bench_name_table:whereis_name(name(N)) of
        undefined ->
            receive names_changed -> ok end,
            watch_for(N, End, Times);
        _ -> watch_for(N + 1, End, [now_ms() | Times])
    end.

seen(Watcher) ->
    Watcher ! {take, self()},
    receive {seen, Times} -> Times after ?WITHIN_MS -> error(names_are_missing) end.

%% How long it takes to look all names up once; the mean of so many times. The names are there before.
lookups(First, Count, Passes) ->
    %% In the same order as ours: steps of a large prime.
    Prepared = [name(First + (N * 611953) rem Count) || N <- lists:seq(0, Count - 1)],
    Started = now_ms(),
    [look_up(Prepared) || _ <- lists:seq(1, Passes)],
    (now_ms() - Started) / Passes.

look_up([]) -> ok;
look_up([Name | Names]) ->
    true = is_pid(bench_name_table:whereis_name(Name)),
    look_up(Names).

bytes() ->
    [garbage_collect(Pid) || Pid <- processes()],
    erlang:memory(total).

name(N) ->
    <<"1", Digits/binary>> = integer_to_binary(10000000 + N),
    <<"user:", Digits/binary>>.

%%% Groups of pg

until_members(Count) ->
    until(fun() -> lists:sum([length(pg:get_members(?SCOPE, N)) || N <- lists:seq(1, ?GROUPS)]) =:= Count end, now_ms() + ?WITHIN_MS).

%% Each process joins, or leaves, one group.
change_groups(Change, Count) ->
    All = to_register(1, Count),
    Started = now_ms(),
    [ok = pg:Change(?SCOPE, 1 + N rem ?GROUPS, Pid) || {N, Pid} <- All],
    now_ms() - Started.

get_members(Count) ->
    Started = now_ms(),
    [true = is_list(pg:get_members(?SCOPE, 1 + N rem ?GROUPS)) || N <- lists:seq(1, Count)],
    now_ms() - Started.
