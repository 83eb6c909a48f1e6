%% Erlang's distribution in group `distribution'.
%%
%%   bench -- lines --> near node (main/1) == distribution == far node (far/1), a port of the near one: ends when its stdin does
%%
%% The arguments of main/1 are the cores of the near and the far node; there may be none.
-module(bench_distribution).
-behaviour(gen_server).

-export([main/0, main/1, far/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(CALLERS, 100).
-define(CALL_TIMEOUT_MS, 5000).
-define(CONFIRMED_WITHIN_MS, 60000).
-define(PACED_CALLS_PER_MS, 10).
-define(PAUSE_MS, 1).
-define(SETTLE_MS, 2000).

-record(bench, {near_core, far_core, far, far_os_pid, echo, sink}).

main() -> main([]).

main(Cores) ->
    {NearCore, FarCore} = case Cores of [N, F] -> {N, F}; [] -> {undefined, undefined} end,
    bench_nodes:start_distribution("near"),
    {Far, FarOsPid} = bench_nodes:start_other(?MODULE, "far", FarCore),
    Bench = #bench{near_core = NearCore, far_core = FarCore, far = Far, far_os_pid = FarOsPid,
                   echo = erpc:call(Far, erlang, whereis, [echo]), sink = erpc:call(Far, erlang, whereis, [sink])},
    bench_protocol:serve(fun(Workload, Size) -> run(Workload, Size, Bench) end).

run("send", Size, #bench{sink = Sink}) -> send(Size, Sink);
run("call", Size, Bench) -> calls(1, Size, Bench);
run("call-one-core", Size, Bench) -> on_one_core(fun() -> calls(1, Size, Bench) end, Bench);
run("callers", Size, Bench) -> calls(?CALLERS, Size, Bench);
run("paced-p50", Size, Bench) -> paced_calls(0.5, Size, Bench);
run("paced-p99", Size, Bench) -> paced_calls(0.99, Size, Bench);
run("bulk-bytes", Size, Bench) -> bytes(fun send/2, Size, Bench);
run("single-bytes", Size, Bench) -> bytes(fun send_one_by_one/2, Size, Bench);
run("idle", Size, Bench) -> idle(Size, Bench).

%%% Nodes

far([Role]) ->
    bench_nodes:start_distribution(Role),
    {ok, _} = gen_server:start({local, echo}, ?MODULE, [], []),
    register(sink, spawn(fun sink/0)),
    io:format("~s ~s~n", [node(), os:getpid()]),
    bench_protocol:halt_with_input().

on_one_core(Run, #bench{near_core = Near, far_core = Far, far_os_pid = OsPid}) ->
    move_to_core(OsPid, Near),
    try Run() after move_to_core(OsPid, Far) end.

move_to_core(OsPid, Core) -> os:cmd("taskset -acp " ++ Core ++ " " ++ OsPid).

%%% Messages

sink() ->
    receive {expect, Count, From} -> sink(Count), From ! received end,
    sink().

sink(0) -> ok;
sink(Left) ->
    receive #{type := said} -> sink(Left - 1) end.

%% From the first send until the receiver has confirmed the last. The emulator suspends the sender while the connection is congested.
send(Size, Sink) ->
    Sink ! {expect, Size, self()},
    Started = erlang:monotonic_time(),
    produce(Size, Sink),
    confirmed(),
    took(Started, erlang:monotonic_time(), Size).

produce(0, _Sink) -> ok;
produce(Left, Sink) ->
    Sink ! said(Left),
    produce(Left - 1, Sink).

send_one_by_one(Size, Sink) ->
    Sink ! {expect, Size, self()},
    [begin receive after ?PAUSE_MS -> ok end, Sink ! said(N) end || N <- lists:seq(1, Size)],
    confirmed().

said(N) -> #{type => said, from => <<"alice">>, n => 10000 + N rem 50000}.

confirmed() ->
    receive received -> ok after ?CONFIRMED_WITHIN_MS -> error(messages_are_missing) end.

%% What a message takes on the connection to the far node's port.
bytes(Send, Size, #bench{far = Far, sink = Sink}) ->
    Port = integer_to_list(bench_epmd:port_of_node(Far)),
    Before = bytes_on_connections_to(Port),
    Send(Size, Sink),
    {bytes, bytes_on_connections_to(Port) - Before, Size}.

bytes_on_connections_to(Port) ->
    Lines = os:cmd("ss -tinH state established dport = :" ++ Port),
    {match, Counts} = re:run(Lines, "\\bbytes_(?:sent|received):([0-9]+)", [global, {capture, all_but_first, list}]),
    lists:sum([list_to_integer(Count) || [Count] <- Counts]).

%%% Calls

calls(Callers, Size, #bench{echo = Echo}) ->
    Each = (Size + Callers - 1) div Callers,
    Started = erlang:monotonic_time(),
    Monitors = [element(2, spawn_monitor(fun() -> call(Each, Echo) end)) || _ <- lists:seq(1, Callers)],
    [receive {'DOWN', Monitor, process, _, normal} -> ok end || Monitor <- Monitors],
    took(Started, erlang:monotonic_time(), Each * Callers).

call(0, _Echo) -> ok;
call(Left, Echo) ->
    Left = gen_server:call(Echo, {echo, Left}, ?CALL_TIMEOUT_MS),
    call(Left - 1, Echo).

init([]) -> {ok, undefined}.

handle_call({echo, N}, _From, State) -> {reply, N, State}.

handle_cast(_Request, State) -> {noreply, State}.

%% A quantile of how long calls take when they are begun by the clock, each by a process of its own; counted from when a call should have begun.
paced_calls(Quantile, Size, #bench{echo = Echo}) ->
    Collector = self(),
    Call = fun(N, Due) ->
        N = gen_server:call(Echo, {echo, N}, ?CALL_TIMEOUT_MS),
        Collector ! {latency, erlang:monotonic_time() - Due}
    end,
    Interval = erlang:convert_time_unit(1000, microsecond, native) div ?PACED_CALLS_PER_MS,
    begin_due(1, Size, erlang:monotonic_time(), Interval, Call),
    Latencies = lists:sort([receive {latency, L} -> L after ?CONFIRMED_WITHIN_MS -> error(calls_are_missing) end
                            || _ <- lists:seq(1, Size)]),
    took(0, lists:nth(ceil(Quantile * Size), Latencies), Size).

begin_due(N, Size, _Due, _Interval, _Call) when N > Size -> ok;
begin_due(N, Size, Due, Interval, Call) ->
    case erlang:monotonic_time() >= Due of
        true ->
            spawn(fun() -> Call(N, Due) end),
            begin_due(N + 1, Size, Due + Interval, Interval, Call);
        false ->
            erlang:yield(),
            begin_due(N, Size, Due, Interval, Call)
    end.

%%% An idle cluster

%% The CPU time of three connected nodes in which nothing happens, over Ms. The third ends with this run.
idle(Ms, #bench{far = Far, far_os_pid = FarOsPid, near_core = Core}) ->
    {Third, ThirdOsPid} = bench_nodes:start_other(?MODULE, "third", Core),
    true = erpc:call(Far, net_kernel, connect_node, [Third]),
    OsPids = [os:getpid(), FarOsPid, ThirdOsPid],
    timer:sleep(?SETTLE_MS),
    %% Looking takes time of this node's own, which is read last, and then first: hardly any of it counts. The first look loads code.
    cpu_nanoseconds(OsPids),
    Before = cpu_nanoseconds(lists:reverse(OsPids)),
    Started = erlang:monotonic_time(),
    timer:sleep(Ms),
    After = cpu_nanoseconds(OsPids),
    {ms, Took, _} = took(Started, erlang:monotonic_time(), 1),
    {cpu_ms, (After - Before) / 1000000, Took, length(OsPids)}.

cpu_nanoseconds(OsPids) ->
    lists:sum([on_cpu(File) || OsPid <- OsPids, File <- filelib:wildcard("/proc/" ++ OsPid ++ "/task/*/schedstat")]).

on_cpu(File) ->
    {ok, Text} = file:read_file(File),
    [OnCpu | _] = binary:split(Text, <<" ">>),
    binary_to_integer(OnCpu).

took(Started, Finished, Operations) ->
    {ms, erlang:convert_time_unit(Finished - Started, native, microsecond) / 1000, Operations}.
