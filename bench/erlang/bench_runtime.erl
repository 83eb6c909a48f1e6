%% Plain Erlang in group `runtime'.
-module(bench_runtime).
-behaviour(gen_server).

-export([main/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(PAIRS, 1000).
-define(BATCH, 1000).

main() -> bench_protocol:serve(fun run/2).

run("send", Size) -> send(Size);
run("ping-pong", Size) -> ping_pong(Size);
run("pairs", Size) -> pairs(Size);
run("call", Size) -> calls(Size);
run("spawn-monitor", Size) -> spawn_monitor_and_down(Size);
run("kill", Size) -> kill(Size, from_kill);
run("spawn-kill", Size) -> kill(Size, from_spawn);
run("idle-heap", Size) -> added(fun() -> erlang:memory(total) end, Size);
run("idle-rss", Size) -> added(fun resident_bytes/0, Size).

%%% Messages

send(Size) ->
    Runner = self(),
    Consumer = spawn(fun() -> consume(Size), Runner ! {finished, erlang:monotonic_time()} end),
    spawn(fun() -> Runner ! {started, erlang:monotonic_time()}, produce(Size, Consumer) end),
    Started = receive {started, S} -> S end,
    Finished = receive {finished, F} -> F end,
    took(Started, Finished, Size).

produce(0, _Consumer) -> ok;
produce(Left, Consumer) ->
    Consumer ! Left,
    produce(Left - 1, Consumer).

consume(0) -> ok;
consume(Left) ->
    receive _ -> consume(Left - 1) end.

ping_pong(Size) ->
    Runner = self(),
    Pong = spawn(fun pong/0),
    spawn(fun() ->
        Started = erlang:monotonic_time(),
        ping(Size, Pong),
        Runner ! {took, Started, erlang:monotonic_time()}
    end),
    {Started, Finished} = receive {took, S, F} -> {S, F} end,
    exit(Pong, kill),
    took(Started, Finished, Size).

pong() ->
    receive From -> From ! pong end,
    pong().

ping(0, _Pong) -> ok;
ping(Left, Pong) ->
    Pong ! self(),
    receive pong -> ping(Left - 1, Pong) end.

%% From the first start to the last pair's end.
pairs(Size) ->
    Runner = self(),
    RoundTrips = (Size + ?PAIRS - 1) div ?PAIRS,
    Pairs = [begin
                 Pong = spawn(fun pong/0),
                 Ping = spawn(fun() -> receive start -> ping(RoundTrips, Pong) end, Runner ! done end),
                 {Ping, Pong}
             end || _ <- lists:seq(1, ?PAIRS)],
    Started = erlang:monotonic_time(),
    [Ping ! start || {Ping, _} <- Pairs],
    [receive done -> ok end || _ <- Pairs],
    Finished = erlang:monotonic_time(),
    [exit(Pong, kill) || {_, Pong} <- Pairs],
    took(Started, Finished, RoundTrips * ?PAIRS).

calls(Size) ->
    {ok, Server} = gen_server:start(?MODULE, [], []),
    Started = erlang:monotonic_time(),
    call(Size, Server),
    Finished = erlang:monotonic_time(),
    gen_server:stop(Server),
    took(Started, Finished, Size).

call(0, _Server) -> ok;
call(Left, Server) ->
    Left = gen_server:call(Server, {echo, Left}),
    call(Left - 1, Server).

init([]) -> {ok, undefined}.

handle_call({echo, N}, _From, State) -> {reply, N, State}.

handle_cast(_Request, State) -> {noreply, State}.

%%% Ends

spawn_monitor_and_down(Size) ->
    Started = erlang:monotonic_time(),
    batches(Size),
    took(Started, erlang:monotonic_time(), Size).

batches(Left) when Left =< 0 -> ok;
batches(Left) ->
    Count = min(?BATCH, Left),
    spawn_batch(Count),
    take_downs(Count),
    batches(Left - Count).

spawn_batch(0) -> ok;
spawn_batch(Left) ->
    spawn_monitor(fun() -> ok end),
    spawn_batch(Left - 1).

take_downs(0) -> ok;
take_downs(Left) ->
    receive {'DOWN', _, process, _, _} -> take_downs(Left - 1) end.

kill(Size, From) ->
    Spawning = erlang:monotonic_time(),
    Pids = [element(1, spawn_monitor(fun idle/0)) || _ <- lists:seq(1, Size)],
    wait_until_idle(),
    Killing = erlang:monotonic_time(),
    [exit(Pid, kill) || Pid <- Pids],
    take_downs(Size),
    Started = case From of from_spawn -> Spawning; from_kill -> Killing end,
    took(Started, erlang:monotonic_time(), Size).

%%% Memory. Nothing is ended: each run has an emulator to itself.

added(Bytes, Size) ->
    erlang:garbage_collect(),
    Before = Bytes(),
    spawn_idle(Size),
    wait_until_idle(),
    erlang:garbage_collect(),
    {bytes, Bytes() - Before, Size}.

spawn_idle(0) -> ok;
spawn_idle(Left) ->
    spawn(fun idle/0),
    spawn_idle(Left - 1).

idle() ->
    receive From -> From ! pong end,
    idle().

%% All others wait.
wait_until_idle() ->
    timer:sleep(1),
    case erlang:statistics(total_active_tasks) of
        Active when Active =< 1 -> ok;
        _ -> wait_until_idle()
    end.

resident_bytes() ->
    Kilobytes = os:cmd("ps -o rss= -p " ++ os:getpid()),
    list_to_integer(string:trim(Kilobytes)) * 1024.

took(Started, Finished, Operations) ->
    {ms, erlang:convert_time_unit(Finished - Started, native, microsecond) / 1000, Operations}.
