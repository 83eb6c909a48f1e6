%% Plays histories on BEAM, as packages/runtime/test/histories/beam.ts tells it.
%%
%%   in    one command a line, as commands.ts writes it, and `end` after the last
%%   out   for each command   result <text> | exited <process> <reason> | got <process> <message>    any number of lines, then `step`
%%         after the last     `end`
%%
%% When has all come to rest? There is one scheduler (`+S 1`), those who play have priority `high`, and the director has `normal`. While a process of
%% priority `high` can run, none of `normal` is selected (process_flag/2): when the director runs, no player has anything left to do, be it a message,
%% a signal or the rest of its exit. All the same it asks every player for what it got until a whole round brings nothing new.
-module(beam).
-export([main/0]).

-define(FAR, 1000000000).
-define(NEAR, 1).
%% Longer than ?NEAR: a timer of the director that is started later fires later.
-define(STEP, 4).

main() ->
    logger:remove_handler(default),
    register(director, self()),
    ets:new(pids, [named_table, public]),
    ets:new(symbols, [named_table, public]),
    Port = open_port({fd, 0, 1}, [in, out, binary, eof, {line, 100000}]),
    director(Port, []).

director(Port, Commands) ->
    receive
        {Port, {data, {eol, <<"end">>}}} ->
            Lines = [[step(Command), <<"step\n">>] || Command <- lists:reverse(Commands)],
            port_command(Port, [Lines, <<"end\n">>]),
            clear(),
            director(Port, []);
        {Port, {data, {eol, Line}}} ->
            Words = [binary_to_atom(Word) || Word <- binary:split(Line, <<" ">>, [global])],
            director(Port, [Words | Commands]);
        {Port, eof} ->
            halt()
    end.

%% One command, and all that comes of it.
step(Command) ->
    Result = order(Command),
    case lists:member(near, Command) of
        true ->
            Timer = erlang:start_timer(?STEP, self(), step),
            receive {timeout, Timer, step} -> ok end;
        false ->
            ok
    end,
    [[<<"result ">>, Result, $\n], settled()].

order([outside, start, Process, Traps, _Body]) ->
    bind_process(Process, spawn_opt(fun() -> begin_play(Traps) end, [{priority, high}])),
    <<"ok">>;
order([outside, look]) ->
    Processes = lists:sort(fun by_number/2, [Symbol || {Symbol, Pid} <- ets:tab2list(pids), is_pid(Pid)]),
    Names = [n0, n1, n2, n3],
    lists:join(<<"; ">>,
        [[word(Symbol), $\s, info(resolve(Symbol))] || Symbol <- Processes] ++
        [[word(Name), $\s, symbol(whereis(Name))] || Name <- Names]);
order([By | Act]) ->
    Pid = resolve(By),
    case is_process_alive(Pid) of
        false ->
            <<"dead">>;
        true ->
            Pid ! {order, self(), Act},
            receive
                {result, Pid, Result} -> Result;
                {'DOWN', _, process, Pid, _} = Down -> self() ! Down, <<"exited">>
            end
    end.

settled() ->
    watch(),
    Exited = exited(),
    Got = [got(Symbol, Pid) || {Symbol, Pid} <- ets:tab2list(pids), is_pid(Pid), is_process_alive(Pid)],
    case lists:append([Exited | Got]) of
        [] -> [];
        New -> [New | settled()]
    end.

%% Those who have been started or spawned in this step.
watch() ->
    receive
        {watch, Pid} -> monitor(process, Pid), watch()
    after 0 ->
        ok
    end.

exited() ->
    receive
        {'DOWN', _, process, Pid, Reason} -> [[<<"exited ">>, symbol(Pid), $\s, reason(Reason), $\n] | exited()]
    after 0 ->
        []
    end.

got(Symbol, Pid) ->
    Pid ! {order, self(), report},
    receive
        {report, Pid, Messages} -> [[<<"got ">>, word(Symbol), $\s, Message, $\n] || Message <- Messages];
        {'DOWN', _, process, Pid, _} = Down -> self() ! Down, []
    end.

clear() ->
    Alive = [Pid || {_, Pid} <- ets:tab2list(pids), is_pid(Pid), is_process_alive(Pid)],
    [exit(Pid, kill) || Pid <- Alive],
    [receive {'DOWN', _, process, Pid, _} -> ok end || Pid <- Alive],
    ets:delete_all_objects(pids),
    ets:delete_all_objects(symbols).

%% ------------------------------------------------------------------------------------------------------------------------------- the players

begin_play(Traps) ->
    process_flag(trap_exit, Traps =:= traps),
    play(listen, []).

%% Got: what came since the last report, the newest first.
play(listen, Got) ->
    receive
        {order, From, Order} -> obey(From, Order, listen, Got);
        Message -> play(listen, [message(Message) | Got])
    end;
play(deaf, Got) ->
    receive
        {order, From, Order} -> obey(From, Order, deaf, Got)
    end.

obey(From, report, State, Got) ->
    From ! {report, self(), lists:reverse(Got)},
    play(State, []);
obey(_From, [leave, return], _State, _Got) ->
    ok;
obey(From, [State], _State, Got) when State =:= deaf; State =:= listen ->
    From ! {result, self(), <<"ok">>},
    play(State, Got);
obey(From, Act, State, Got) ->
    Result = try perform(Act) catch error:badarg -> <<"error">> end,
    From ! {result, self(), Result},
    play(State, Got).

perform([spawn, Process, Traps, _Body]) ->
    bind_process(Process, spawn_opt(fun() -> begin_play(Traps) end, [{priority, high}])),
    <<"ok">>;
perform([spawn_link, Process, Traps, _Body]) ->
    bind_process(Process, spawn_opt(fun() -> begin_play(Traps) end, [link, {priority, high}])),
    <<"ok">>;
perform([spawn_monitor, Process, Traps, _Body, Ref]) ->
    {Pid, Monitor} = spawn_opt(fun() -> begin_play(Traps) end, [monitor, {priority, high}]),
    bind_process(Process, Pid),
    bind(Ref, Monitor);
perform([send, To, Message]) ->
    resolve(To) ! Message,
    <<"ok">>;
perform([exit, To, Reason]) ->
    exit(resolve(To), reason_term(Reason)),
    <<"ok">>;
perform([leave, How]) ->
    leave(How);
perform([farewell, Message, How | To]) ->
    [catch resolve(Address) ! Message || Address <- To],
    leave(How);
perform([link, To]) ->
    %% link/1 of a process that doesn't trap exits fails with `noproc` where it would get an exit signal `noproc` otherwise: the manual calls
    %% that strange and historical. What is compared is the exit signal.
    try link(resolve(To)) catch error:noproc -> exit(noproc) end,
    <<"ok">>;
perform([unlink, To]) ->
    unlink(resolve(To)),
    <<"ok">>;
perform([monitor, Object, Ref, none]) ->
    bind(Ref, monitor(process, resolve(Object)));
perform([monitor, Object, Ref, Alias]) ->
    bind(Ref, monitor(process, resolve(Object), [{alias, Alias}]));
perform([demonitor, Ref, Flush, Info]) ->
    word(demonitor(resolve(Ref), [flush || Flush =:= flush] ++ [info || Info =:= info]));
perform([alias, Ref, once]) ->
    bind(Ref, alias([reply]));
perform([alias, Ref, open]) ->
    bind(Ref, alias([explicit_unalias]));
perform([unalias, Ref]) ->
    word(unalias(resolve(Ref)));
perform([register, Name, Process]) ->
    register(Name, resolve(Process)),
    <<"ok">>;
perform([unregister, Name]) ->
    unregister(Name),
    <<"ok">>;
perform([whereis, Name]) ->
    symbol(whereis(Name));
perform([trap_exit, On]) ->
    process_flag(trap_exit, On),
    <<"ok">>;
perform([is_alive, Process]) ->
    word(is_process_alive(resolve(Process)));
perform([info, Process]) ->
    info(resolve(Process));
perform([start_timer, When, To, Ref, Message]) ->
    bind(Ref, erlang:start_timer(delay(When), resolve(To), Message));
perform([send_after, When, To, Ref, Message]) ->
    bind(Ref, erlang:send_after(delay(When), resolve(To), Message));
perform([cancel_timer, Ref]) ->
    left(erlang:cancel_timer(resolve(Ref)));
perform([read_timer, Ref]) ->
    left(erlang:read_timer(resolve(Ref)));
perform([take_down, Ref]) ->
    Monitor = resolve(Ref),
    receive
        {'DOWN', Monitor, process, _, _} = Down -> message(Down)
    after 0 ->
        <<"nothing">>
    end.

leave(return) -> exit(normal);
leave(throw) -> error(crash);
leave(Reason) -> exit(reason_term(Reason)).

delay(far) -> ?FAR;
delay(near) -> ?NEAR.

left(false) -> <<"none">>;
left(Ms) when is_integer(Ms) -> <<"time left">>.

%% ----------------------------------------------------------------------------------------------------------------------- symbols and texts

%% The director is told to watch it before anything else can happen to it: the player who spawned it is still at its command.
bind_process(Symbol, Pid) ->
    bind(Symbol, Pid),
    director ! {watch, Pid}.

bind(Symbol, Term) ->
    ets:insert(pids, {Symbol, Term}),
    ets:insert(symbols, {Term, Symbol}),
    <<"ok">>.

%% What a symbol stands for; of a name the name, or the name on this node.
resolve(Symbol) ->
    case ets:lookup(pids, Symbol) of
        [{_, Term}] ->
            Term;
        [] ->
            case binary:split(atom_to_binary(Symbol), <<"@">>) of
                [Name, <<"here">>] -> {binary_to_atom(Name), node()};
                [_] -> Symbol
            end
    end.

symbol(undefined) ->
    <<"undefined">>;
symbol({Name, Node}) when Node =:= node() ->
    [word(Name), <<"@here">>];
symbol(Term) ->
    case ets:lookup(symbols, Term) of
        [{_, Symbol}] -> word(Symbol);
        [] -> io_lib:format("unknown ~p", [Term])
    end.

message({'EXIT', From, Reason}) ->
    [<<"EXIT ">>, symbol(From), $\s, reason(Reason)];
message({'DOWN', Ref, process, Object, Reason}) ->
    [<<"DOWN ">>, symbol(Ref), $\s, symbol(Object), $\s, reason(Reason), still_there(Object)];
message({timeout, Ref, Message}) ->
    [<<"timeout ">>, symbol(Ref), $\s, word(Message)];
message(Message) ->
    word(Message).

%% Everything that a process held is released before anyone is told of its end.
still_there(Pid) when is_pid(Pid) ->
    case {is_process_alive(Pid), [Name || Name <- [n0, n1, n2, n3], whereis(Name) =:= Pid]} of
        {false, []} -> [];
        {true, _} -> <<" but it is alive">>;
        {false, [Name]} -> [<<" but it has the name ">>, word(Name)]
    end;
still_there(_Name) ->
    [].

info(Pid) ->
    Items = [registered_name, trap_exit, links, monitors, monitored_by, message_queue_len],
    case process_info(Pid, Items) of
        undefined ->
            <<"undefined">>;
        [{_, Name}, {_, TrapExit}, {_, Links}, {_, Monitors}, {_, MonitoredBy}, {_, Unread}] ->
            Watchers = [Watcher || Watcher <- MonitoredBy, ets:member(symbols, Watcher)],
            [<<"name=">>, [word(Name) || Name =/= []],
             <<" trap_exit=">>, word(TrapExit),
             <<" links=">>, list(Links),
             <<" monitors=">>, list([Object || {process, Object} <- Monitors]),
             <<" monitored_by=">>, list(Watchers),
             <<" unread=">>, integer_to_binary(Unread)]
    end.

list(Terms) ->
    lists:join($,, lists:sort([iolist_to_binary(symbol(Term)) || Term <- Terms])).

reason({shutdown, Why}) -> [<<"shutdown:">>, word(Why)];
reason({crash, _Stack}) -> <<"crash">>;
reason(Reason) when is_atom(Reason) -> word(Reason);
reason(Reason) -> io_lib:format("~0p", [Reason]).

reason_term('shutdown:tired') -> {shutdown, tired};
reason_term(Reason) -> Reason.

word(Atom) -> atom_to_binary(Atom).

by_number(A, B) ->
    {byte_size(word(A)), word(A)} =< {byte_size(word(B)), word(B)}.
