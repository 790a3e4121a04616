# bash completion for relevo: /usr/share/bash-completion/completions/relevo

_relevo()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local i command='' before='' config=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--config)
			config=(--config "${COMP_WORDS[++i]}")
			;;
		-*)	;;
		*)
			if [[ -z $command ]]; then
				command=${COMP_WORDS[i]}
			else
				before=${COMP_WORDS[i]}
			fi
			;;
		esac
	done
	case $prev in
	--config | --socket)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--mode)
		mapfile -t COMPREPLY < <(compgen -W '0660 0600 0666' -- "$cur")
		return
		;;
	--tokens | -d | -n)
		return
		;;
	esac
	local words=''
	case $command in
	'')	words='serve check models usage explain top doctor state client
		    version help --config --help --version' ;;
	serve)	words='--socket --mode --help' ;;
	check)	words='--print --help' ;;
	models | usage)
		words='--json --help' ;;
	explain)
		words='--tokens --json --help'
		# The names in the configuration; the state is left alone.
		[[ -n $before ]] || words+=" auto $("${COMP_WORDS[0]}" \
		    "${config[@]}" check --print 2>/dev/null | sed -nE \
		    's/^(model|alias) "?([^" ]*)"? .*/\2/p')" ;;
	top)	words='-d -n --once --help' ;;
	doctor)	words='--socket --help' ;;
	state)	words=--help
		[[ -n $before ]] || words+=' dump verify reset path' ;;
	client)	words=--help
		[[ -n $before ]] || words+=' new' ;;
	version)
		words=--help ;;
	help)	case $before in
		'')	words='serve check models usage explain top doctor
			    state client version' ;;
		state)	words='dump verify reset path' ;;
		client)	words=new ;;
		esac ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _relevo relevo
