%% Plays histories of one server on OTP's gen_server: see history.ts.
%%
%% The server has the priority `high`, the director `max`: a whole batch is in the server's mailbox before it handles the first of it.
-module(server_player).
-behaviour(gen_server).
-export([main/0, init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).

main() -> director:run(fun play/1).

play({TrapsExits, Init, Terminate, Batches}) ->
    process_flag(priority, max),
    Director = self(),
    Parent = spawn_opt(fun() -> parent(Director, {TrapsExits, Init, Terminate}) end, [{priority, max}]),
    director:rest(),
    Lines = receive
        {started, {ok, Pid}} ->
            Monitor = monitor(process, Pid),
            Started = line(["started"], []),
            Played = batches(Batches, {Pid, Parent, Monitor}, []),
            demonitor(Monitor, [flush]),
            [Started | Played];
        {started, ignore} ->
            [line(["ignored"], [])];
        {started, {error, Reason}} ->
            [line([["failed ", director:reason(Reason)]], [])]
    end,
    Exits = exits(Parent),
    %% With what is linked to it, or was until it ended.
    exit(Parent, kill),
    director:rest(),
    Lines ++ [["parent: ", Exits]].

line(First, Last) -> lists:join("; ", First ++ director:seen() ++ Last).

batches([], _Played, _Open) ->
    [];
batches([Batch | Batches], {Pid, Parent, Monitor} = Played, Open) ->
    Asked = lists:append([send(Message, Pid, Parent) || Message <- Batch]),
    director:rest(),
    {Over, Left} = responses(Open ++ Asked),
    receive
        {'DOWN', Monitor, process, Pid, Reason} -> [line([], Over ++ [["down ", director:reason(Reason)]])]
    after 0 ->
        Line = line([], Over),
        [Line | batches(Batches, Played, Left)]
    end.

%% What is to be answered.
send({Id, call, Deed, Return}, Pid, _Parent) -> [{Id, gen_server:send_request(Pid, {Id, Deed, Return})}];
send({Id, cast, Deed, Return}, Pid, _Parent) -> gen_server:cast(Pid, {Id, Deed, Return}), [];
send({Id, info, Deed, Return}, Pid, _Parent) -> Pid ! {info, Id, Deed, Return}, [];
send({Id, terminate, Reason}, Pid, _Parent) -> [{Id, gen:send_request(Pid, system, {terminate, director:reason_term(Reason)})}];
send({_Id, signal, Reason}, Pid, _Parent) -> exit(Pid, director:reason_term(Reason)), [];
send({_Id, parent_ends}, _Pid, Parent) ->
    Monitor = monitor(process, Parent),
    exit(Parent, kill),
    receive {'DOWN', Monitor, process, Parent, _} -> [] end;
send({Id, System}, Pid, _Parent) -> [{Id, gen:send_request(Pid, system, System)}].

responses(Asked) ->
    Looked = [{One, gen_server:wait_response(Request, 0)} || {_, Request} = One <- Asked],
    {[response(Id, Response) || {{Id, _}, Response} <- Looked, Response =/= timeout],
     [One || {One, timeout} <- Looked]}.

response(Id, {reply, {ok, State}}) -> response(Id, {reply, State});
response(Id, {reply, Reply}) -> io_lib:format("~p = ~p", [Id, Reply]);
response(Id, {error, {Reason, _}}) -> [integer_to_list(Id), " ! ", director:reason(Reason)].

%% --------------------------------------------------------------------------------------------------------------------------------- the parent

parent(Director, Arguments) ->
    process_flag(trap_exit, true),
    Director ! {started, gen_server:start_link(?MODULE, Arguments, [{spawn_opt, [{priority, high}]}])},
    exits_of([]).

exits_of(Exits) ->
    receive
        {'EXIT', _Pid, Reason} -> exits_of([director:reason(Reason) | Exits]);
        {exits, Director} -> Director ! {exits, lists:join(" ", lists:reverse(Exits))}, exits_of(Exits)
    end.

exits(Parent) ->
    Monitor = monitor(process, Parent),
    Parent ! {exits, self()},
    receive
        {exits, Exits} -> demonitor(Monitor, [flush]), Exits;
        {'DOWN', Monitor, process, Parent, _} -> "gone"
    end.

%% --------------------------------------------------------------------------------------------------------------------------------- the server

init({TrapsExits, Init, Terminate}) ->
    process_flag(trap_exit, TrapsExits),
    put(terminate, Terminate),
    put(kept, []),
    director:see("init"),
    case Init of
        ignore -> ignore;
        {stop, Reason} -> {stop, director:reason_term(Reason)};
        {noreply, wait} -> {ok, 0};
        {noreply, Next} -> {ok, 0, next(Next)};
        End -> return(End, 0)
    end.

handle_call({Id, Deed, Return}, From, Count) ->
    director:see(["call ", integer_to_list(Id)]),
    deed(Deed, From),
    return(Return, Count + 1).

handle_cast({Id, Deed, Return}, Count) ->
    director:see(["cast ", integer_to_list(Id)]),
    deed(Deed, nobody),
    return(Return, Count + 1).

handle_info({info, Id, Deed, Return}, Count) ->
    director:see(["info ", integer_to_list(Id)]),
    deed(Deed, nobody),
    return(Return, Count + 1);
handle_info(timeout, Count) ->
    director:see("idle"),
    {noreply, Count};
handle_info({'EXIT', _From, Reason}, Count) ->
    director:see(["exit ", director:reason(Reason)]),
    {noreply, Count}.

handle_continue(Return, Count) ->
    director:see("continue"),
    return(Return, Count).

terminate(Reason, _Count) ->
    director:see(["terminate ", director:reason(Reason)]),
    case get(terminate) of
        return -> ok;
        End -> return(End, 0)
    end.

deed(nothing, _From) -> ok;
deed(answer, _From) -> [gen_server:reply(Kept, late) || Kept <- lists:reverse(put(kept, []))];
deed(keep, From) -> put(kept, [From | get(kept)]);
deed(reply, From) -> gen_server:reply(From, early).

return({noreply, wait}, Count) -> {noreply, Count};
return({noreply, Next}, Count) -> {noreply, Count, next(Next)};
return({reply, wait}, Count) -> {reply, value, Count};
return({reply, Next}, Count) -> {reply, value, Count, next(Next)};
return({stop_reply, Reason}, Count) -> {stop, director:reason_term(Reason), value, Count};
return({stop, Reason}, Count) -> {stop, director:reason_term(Reason), Count};
return({exit, Reason}, _Count) -> exit(director:reason_term(Reason));
return(error, _Count) -> error(told_to);
return(bad, _Count) -> bad.

next(idle) -> 0;
next(hibernate) -> hibernate;
next({continue, Return}) -> {continue, Return}.
