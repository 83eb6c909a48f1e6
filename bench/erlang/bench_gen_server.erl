%% OTP's gen_server in group `gen-server'.
-module(bench_gen_server).
-behaviour(gen_server).

-export([main/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(CALLERS, 100).

main() -> bench_protocol:serve(fun run/2).

run("call", Size) -> calls(1, Size);
run("callers", Size) -> calls(?CALLERS, Size);
run("cast", Size) -> casts(Size);
run("start-stop", Size) -> start_and_stop(Size);
run("idle-heap", Size) -> added(fun() -> erlang:memory(total) end, Size);
run("idle-rss", Size) -> added(fun resident_bytes/0, Size).

init([]) -> {ok, 0}.

handle_call({echo, N}, _From, Notes) -> {reply, N, Notes}.

handle_cast({note, _N}, Notes) -> {noreply, Notes + 1}.

%% From the first start to the last end.
calls(Callers, Size) ->
    {ok, Server} = gen_server:start(?MODULE, [], []),
    Each = (Size + Callers - 1) div Callers,
    Started = erlang:monotonic_time(),
    Monitors = [element(2, spawn_monitor(fun() -> call(Each, Server) end)) || _ <- lists:seq(1, Callers)],
    [receive {'DOWN', Monitor, process, _, normal} -> ok end || Monitor <- Monitors],
    Finished = erlang:monotonic_time(),
    gen_server:stop(Server),
    took(Started, Finished, Each * Callers).

call(0, _Server) -> ok;
call(Left, Server) ->
    Left = gen_server:call(Server, {echo, Left}),
    call(Left - 1, Server).

%% From the first cast until the server answers a call that comes behind the last.
casts(Size) ->
    {ok, Server} = gen_server:start(?MODULE, [], []),
    Started = erlang:monotonic_time(),
    cast(Size, Server),
    gen_server:call(Server, {echo, 0}, infinity),
    Finished = erlang:monotonic_time(),
    gen_server:stop(Server),
    took(Started, Finished, Size).

cast(0, _Server) -> ok;
cast(Left, Server) ->
    gen_server:cast(Server, {note, Left}),
    cast(Left - 1, Server).

start_and_stop(Size) ->
    Started = erlang:monotonic_time(),
    start_and_stop_each(Size),
    took(Started, erlang:monotonic_time(), Size).

start_and_stop_each(0) -> ok;
start_and_stop_each(Left) ->
    {ok, Server} = gen_server:start(?MODULE, [], []),
    ok = gen_server:stop(Server),
    start_and_stop_each(Left - 1).

%% Nothing is ended: each run has an emulator to itself.
added(Bytes, Size) ->
    erlang:garbage_collect(),
    Before = Bytes(),
    start_all(Size),
    erlang:garbage_collect(),
    {bytes, Bytes() - Before, Size}.

start_all(0) -> ok;
start_all(Left) ->
    {ok, _} = gen_server:start(?MODULE, [], []),
    start_all(Left - 1).

resident_bytes() ->
    Kilobytes = os:cmd("ps -o rss= -p " ++ os:getpid()),
    list_to_integer(string:trim(Kilobytes)) * 1024.

took(Started, Finished, Operations) ->
    {ms, erlang:convert_time_unit(Finished - Started, native, microsecond) / 1000, Operations}.
