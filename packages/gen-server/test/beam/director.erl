%% What the players of histories on BEAM share.
%%
%%   in    one history a line, an Erlang term
%%   out   what was seen of it, a line each, then `end`
-module(director).
-export([run/1, rest/0, see/1, seen/0, reason/1, reason_term/1]).

run(Play) ->
    logger:set_primary_config(level, none),
    register(director, self()),
    process_flag(trap_exit, true),
    %% Who waits in the midst of a history lets others run that should not: for a module that is loaded, or, when it would log for the first time, for a persistent term.
    [ok = code:ensure_modules_loaded(element(2, application:get_key(Library, modules))) || Library <- [kernel, stdlib]],
    [false = logger:allow(Level, Module) || Level <- [error, notice], Module <- [gen_server, proc_lib, supervisor]],
    Port = open_port({fd, 0, 1}, [in, out, binary, eof, {line, 1000000}]),
    listen(Port, Play).

listen(Port, Play) ->
    receive
        {Port, {data, {eol, Line}}} ->
            {ok, Tokens, _} = erl_scan:string(binary_to_list(Line)),
            {ok, History} = erl_parse:parse_term(Tokens),
            port_command(Port, [[[Seen, $\n] || Seen <- Play(History)], <<"end\n">>]),
            forget(Port),
            listen(Port, Play);
        {Port, eof} ->
            halt()
    end.

%% What has come of a history after its end, or was never asked for.
forget(Port) ->
    receive
        Message when element(1, Message) =/= Port -> forget(Port)
    after 0 ->
        ok
    end.

%% Until all has come to rest. There is one scheduler, and those who play have the priority `high` or `max`: a process of `normal` is not selected as long as one of them can run
%% (process_flag/2).
rest() ->
    Priority = process_flag(priority, normal),
    erlang:yield(),
    process_flag(priority, Priority).

%% Called by whoever plays.
see(Text) ->
    director ! {seen, Text}.

%% What has been seen since it was last asked.
seen() ->
    receive
        {seen, Text} -> [Text | seen()]
    after 0 ->
        []
    end.

reason({shutdown, Why}) when is_atom(Why) -> ["shutdown:", atom_to_list(Why)];
reason({bad_return_value, _}) -> "bad_return_value";
reason({told_to, _Stack}) -> "error";
reason(Reason) when is_atom(Reason) -> atom_to_list(Reason);
reason(Reason) -> io_lib:format("~0p", [Reason]).

reason_term('shutdown:tired') -> {shutdown, tired};
reason_term(Reason) -> Reason.
