%% Plays histories of one state machine on OTP's gen_statem, as beam.ts tells it: terms {Enters, InitActions, Returns, Messages}.
%%
%% All messages are in the mailbox before the machine is in its first state; the answer of sys:get_state says that it has come to rest.
-module(statem_player).
-behaviour(gen_statem).
-export([main/0, callback_mode/0, init/1, handle_event/4, terminate/3]).

main() -> director:run(fun play/1).

play({Enters, Actions, Returns, Messages}) ->
    Director = self(),
    put_mode(Enters),
    {ok, Pid} = gen_statem:start_link(?MODULE, {from(Actions, Director), from(Returns, Director), from(Messages, Director)}, []),
    try sys:get_state(Pid) of
        {State, _} -> director:see(["waits in ", atom_to_list(State)])
    catch
        exit:_ -> ok
    end,
    unlink(Pid),
    exit(Pid, kill),
    receive {'EXIT', Pid, _} -> ok after 0 -> ok end,
    seen().

seen() ->
    receive
        {seen, Text} -> [Text | seen()];
        {Call, reply} -> [["reply ", integer_to_list(Call)] | seen()]
    after 0 ->
        []
    end.

%% `director` in a term stands for the director.
from(director, Director) -> Director;
from(Term, Director) when is_tuple(Term) -> list_to_tuple(from(tuple_to_list(Term), Director));
from([Head | Tail], Director) -> [from(Head, Director) | from(Tail, Director)];
from(Term, _Director) -> Term.

put_mode(true) -> persistent_term:put(mode, [handle_event_function, state_enter]);
put_mode(false) -> persistent_term:put(mode, handle_event_function).

callback_mode() -> persistent_term:get(mode).

init({Actions, Returns, Messages}) ->
    put(returns, Returns),
    [self() ! Message || Message <- Messages],
    {ok, a, data, Actions}.

handle_event(enter, Previous, State, data) ->
    director:see(["enter ", atom_to_list(State), " from ", atom_to_list(Previous)]),
    return(2);
handle_event(Type, Content, State, data) ->
    director:see([type(Type), $\s, integer_to_list(Content), " in ", atom_to_list(State)]),
    return(1).

terminate({Reason, _}, State, data) -> director:see(["end ", atom_to_list(Reason), $\s, atom_to_list(State)]);
terminate(Reason, State, data) -> director:see(["end ", atom_to_list(Reason), $\s, atom_to_list(State)]).

type({call, _}) -> "call";
type(timeout) -> "event_timeout";
type({timeout, Name}) -> ["timeout:", atom_to_list(Name)];
type(Type) -> atom_to_list(Type).

return(Which) ->
    case get(returns) of
        [] ->
            keep_state_and_data;
        [Return | Returns] ->
            put(returns, Returns),
            element(Which, Return)
    end.
